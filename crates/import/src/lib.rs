//! Declarations made of what there is: [`of_survey`] of what a kernel has, [`of_script`] of the
//! usual shell script around ip(8), [`of_wg_netns`] of a profile of wg-netns.
//!
//! Each gives the text of a configuration file. Whatever cannot be declared, or was not
//! understood, is a comment in it that says so: nothing is dropped without a word. The text is
//! loaded before it is given away, and what the configuration would refuse becomes a comment too,
//! so it always passes `netnsctl check`. Nothing here opens a file.
#![forbid(unsafe_code)]

mod draft;
mod script;
mod settle;
mod survey;
mod sysctl;
mod tables;
mod wg_netns;
mod write;

pub use script::of_script;
pub use survey::of_survey;
pub use wg_netns::{WgNetnsError, of_wg_netns};
