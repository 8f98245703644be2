//! The attribute `#[netnsctl_machine::test]`.
#![forbid(unsafe_code)]

use proc_macro::{TokenStream, TokenTree};

/// Registers the function below as a test of its name. The function takes and returns nothing.
#[proc_macro_attribute]
pub fn test(_options: TokenStream, function: TokenStream) -> TokenStream {
    let mut tokens = function.clone().into_iter();
    let is_fn =
        |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn");
    let registration = match (tokens.find(is_fn), tokens.next()) {
        (Some(_), Some(TokenTree::Ident(name))) => {
            format!("::netnsctl_machine::register!({name});")
        }
        _ => "::core::compile_error!(\"only a function can be a test\");".to_owned(),
    };
    let registration: TokenStream = registration.parse().unwrap_or_default();
    [function, registration].into_iter().collect()
}
