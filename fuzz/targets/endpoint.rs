//! Any text as an endpoint, an address, a duration: what is read prints back to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netnsctl_model::address::{Endpoint, MacAddress};
use netnsctl_model::config::values;
use netnsctl_model::forward_address::ForwardAddress;

fuzz_target!(|text: &str| {
    if let Ok(endpoint) = Endpoint::parse(text) {
        assert_eq!(Endpoint::parse(&endpoint.to_string()), Ok(endpoint));
    }
    if let Ok(address) = ForwardAddress::parse(text) {
        assert_eq!(ForwardAddress::parse(&address.to_string()), Ok(address));
    }
    if let Some(mac) = MacAddress::parse(text) {
        assert_eq!(MacAddress::parse(&mac.to_string()), Some(mac));
    }
    if let Ok(duration) = values::duration(text) {
        assert_eq!(values::duration(&values::write_duration(duration)), Ok(duration));
    }
    let _ = (values::interface_address(text), values::prefix(text), values::nameserver(text), values::workers(text));
});
