//! What a forwarder has done so far, as numbers, and their JSON form.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::AddAssign;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// How often each reason occurred; errno names such as `ECONNREFUSED`, or words.
pub type Reasons = BTreeMap<Cow<'static, str>, u64>;

/// The counters of one forwarder since it started.
///
/// Their JSON form is one object on one line: the fields below under their names, nested as they
/// are here, for example
/// `{"tcp":{"connections_now":1,…,"connect_errors":{"ECONNREFUSED":2}},"udp":{…}}`. Fields are
/// only ever added; a reader takes absent ones for zero and skips those it does not know.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Counters {
    /// TCP.
    pub tcp: TcpCounters,
    /// UDP.
    pub udp: UdpCounters,
    /// The label of the options in force.
    pub options: String,
}

/// TCP counters.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct TcpCounters {
    /// Clients accepted and not yet done with.
    pub connections_now: u64,
    /// Clients ever accepted.
    pub connections_ever: u64,
    /// Of the present clients, those whose target has not answered yet.
    pub connecting_now: u64,
    /// Bytes handed to the kernel for the target.
    pub bytes_to_target: u64,
    /// Bytes handed to the kernel for clients.
    pub bytes_to_client: u64,
    /// Connections that ended by a reset, in either direction or by a timer, after they stood.
    pub resets: u64,
    /// Clients reset because the target could not be reached, by errno; the timeout is ETIMEDOUT.
    pub connect_errors: Reasons,
    /// Failures to accept, or to make the socket for the target, by errno.
    pub accept_errors: Reasons,
}

/// UDP counters.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct UdpCounters {
    /// Sessions kept.
    pub sessions_now: u64,
    /// Sessions ever made.
    pub sessions_ever: u64,
    /// Sessions given up early because the table was full.
    pub sessions_evicted: u64,
    /// Datagrams handed to the kernel for the target.
    pub datagrams_to_target: u64,
    /// Datagrams handed to the kernel for clients.
    pub datagrams_to_client: u64,
    /// Payload bytes of `datagrams_to_target`.
    pub bytes_to_target: u64,
    /// Payload bytes of `datagrams_to_client`.
    pub bytes_to_client: u64,
    /// Datagrams lost, by errno, or `draining` (from a new client after the order to stop),
    /// `no address` (the kernel told no source or destination), `receive buffer full` (more came than
    /// could be taken; noticed with the next datagram), `too many new clients` (from a new client while
    /// the receive buffer was nearly full), `truncated`. `ECONNREFUSED` counts what the
    /// target's host reported as undeliverable after it had been sent.
    pub dropped: Reasons,
}

/// A text that is not the JSON form of [`Counters`].
#[derive(Debug, thiserror::Error)]
#[error("cannot read counters: {0}")]
pub struct ParseCountersError(serde_json::Error);

impl Counters {
    /// Reads the JSON form, as the control socket gives it. Reasons are shown on terminals, so of
    /// each no more than 64 characters are kept, and `?` takes the place of those that are not
    /// printable ASCII.
    ///
    /// Errors: [`ParseCountersError`] if it is no JSON or a known field has another type.
    pub fn parse(text: &str) -> Result<Self, ParseCountersError> {
        let mut counters: Self = serde_json::from_str(text).map_err(ParseCountersError)?;
        for reasons in [
            &mut counters.tcp.connect_errors,
            &mut counters.tcp.accept_errors,
            &mut counters.udp.dropped,
        ] {
            *reasons = printable(reasons);
        }
        Ok(counters)
    }

    /// The JSON form: one line that ends in a newline.
    pub fn to_json(&self) -> String {
        // Maps with string keys and integers always serialise; an empty object would be honest.
        let mut json = serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned());
        json.push('\n');
        json
    }
}

/// Most characters of a reason.
const REASON: usize = 64;

fn printable(reasons: &Reasons) -> Reasons {
    let mut kept = Reasons::new();
    for (reason, times) in reasons {
        let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        let reason: String = reason.chars().take(REASON).map(printable).collect();
        add_times(&mut kept, reason.into(), *times);
    }
    kept
}

/// Sums stop at the largest number.
impl AddAssign<&Self> for Counters {
    fn add_assign(&mut self, other: &Self) {
        self.tcp += &other.tcp;
        self.udp += &other.udp;
    }
}

impl AddAssign<&Self> for TcpCounters {
    fn add_assign(&mut self, other: &Self) {
        add_to(&mut self.connections_now, other.connections_now);
        add_to(&mut self.connections_ever, other.connections_ever);
        add_to(&mut self.connecting_now, other.connecting_now);
        add_to(&mut self.bytes_to_target, other.bytes_to_target);
        add_to(&mut self.bytes_to_client, other.bytes_to_client);
        add_to(&mut self.resets, other.resets);
        add(&mut self.connect_errors, &other.connect_errors);
        add(&mut self.accept_errors, &other.accept_errors);
    }
}

impl AddAssign<&Self> for UdpCounters {
    fn add_assign(&mut self, other: &Self) {
        add_to(&mut self.sessions_now, other.sessions_now);
        add_to(&mut self.sessions_ever, other.sessions_ever);
        add_to(&mut self.sessions_evicted, other.sessions_evicted);
        add_to(&mut self.datagrams_to_target, other.datagrams_to_target);
        add_to(&mut self.datagrams_to_client, other.datagrams_to_client);
        add_to(&mut self.bytes_to_target, other.bytes_to_target);
        add_to(&mut self.bytes_to_client, other.bytes_to_client);
        add(&mut self.dropped, &other.dropped);
    }
}

fn add_to(sum: &mut u64, other: u64) {
    *sum = sum.saturating_add(other);
}

fn add(sum: &mut Reasons, other: &Reasons) {
    for (reason, times) in other {
        add_times(sum, reason.clone(), *times);
    }
}

fn add_times(sum: &mut Reasons, reason: Cow<'static, str>, times: u64) {
    add_to(sum.entry(reason).or_default(), times);
}

/// Counts one more of `errno`. Allocates only the first time each one occurs.
pub(crate) fn count(reasons: &mut Reasons, errno: Errno) {
    count_word(
        reasons,
        netnsctl_sys::errno::Errno(errno.raw_os_error()).name(),
    );
}

/// Counts one more of a reason that is no errno.
pub(crate) fn count_word(reasons: &mut Reasons, word: impl Into<Cow<'static, str>>) {
    *reasons.entry(word.into()).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_has_every_field() {
        let text = Counters::default().to_json();
        // Every number becomes 1 and every map of reasons gets one.
        let text = text.replace(":0", ":1").replace("{}", r#"{"EPERM":1}"#);
        let one = Counters::parse(&text).unwrap();
        let mut two = one.clone();
        two += &one;
        assert_eq!(two.to_json(), text.replace(":1", ":2"));
    }

    #[test]
    fn json_is_one_line_and_reads_back() {
        let mut counters = Counters::default();
        counters.tcp.connections_ever = u64::MAX;
        count(&mut counters.tcp.connect_errors, Errno::CONNREFUSED);
        count(&mut counters.udp.dropped, Errno::from_raw_os_error(123));
        let json = counters.to_json();
        assert_eq!(json.matches('\n').count(), 1);
        assert!(json.ends_with('\n'));
        assert!(
            json.contains(r#""connect_errors":{"ECONNREFUSED":1}"#),
            "{json}"
        );
        assert_eq!(Counters::parse(&json).unwrap(), counters);
    }

    #[test]
    fn a_forwarder_cannot_write_to_the_terminal_of_who_asks() {
        let dropped = r#"{"udp":{"dropped":{"\u001b[2J":1,"\u009b[2J":2,"\u202eno address":3}}}"#;
        let counters = Counters::parse(dropped).unwrap();
        let kept: Vec<_> = counters.udp.dropped.iter().collect();
        // The first two are one now.
        assert_eq!(kept, [(&"?[2J".into(), &3), (&"?no address".into(), &3)]);
        let long = format!(
            r#"{{"tcp":{{"accept_errors":{{"{}":1}}}}}}"#,
            "x".repeat(1000)
        );
        let counters = Counters::parse(&long).unwrap();
        assert!(counters.tcp.accept_errors.keys().all(|it| it.len() == 64));
    }

    #[test]
    fn sums_stop_at_the_largest_number() {
        let text = format!(
            r#"{{"tcp":{{"resets":{max},"connect_errors":{{"EPERM":{max}}}}},"udp":{{"bytes_to_client":{max}}}}}"#,
            max = u64::MAX
        );
        let most = Counters::parse(&text).unwrap();
        let mut sum = most.clone();
        sum += &most;
        assert_eq!(sum, most);
    }

    #[test]
    fn older_and_newer_texts_are_read() {
        let text = r#"{"tcp":{"connections_now":3,"later":[1]},"more":null}"#;
        assert_eq!(Counters::parse(text).unwrap().tcp.connections_now, 3);
        assert!(Counters::parse("{").is_err());
    }
}
