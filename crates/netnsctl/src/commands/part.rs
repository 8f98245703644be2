//! `--part` of `up` and `down`: what a unit of systemd carries out.

use netnsctl_model::desired::Desired;
use netnsctl_model::name::NetnsRef;
use netnsctl_model::plan::{BadPart, Part, PartName};

use crate::output::Failure;

/// The one namespace among `names`, and the part of it called `text`.
pub(super) fn named(names: &[String], text: &str) -> Result<(NetnsRef, PartName), Failure> {
    let part: PartName = text.parse().map_err(bad)?;
    let [name] = names else {
        return Err(Failure::usage("--part is of one namespace").hint(format!(
            "name it, as in \"netnsctl up office --part {part}\""
        )));
    };
    let netns = NetnsRef::parse(name)
        .map_err(|error| Failure::usage(format!("{name:?} is no namespace name: it {error}")))?;
    Ok((netns, part))
}

/// What that part is, as declared.
pub(super) fn declared(
    desired: &Desired,
    netns: &NetnsRef,
    part: PartName,
) -> Result<Part, Failure> {
    Part::find(desired, netns, part).map_err(|error| match error {
        BadPart::Undeclared(_) => {
            let known: Vec<_> = desired.netns.keys().map(ToString::to_string).collect();
            bad(error).hint(format!("declared are: {}", known.join(", ")))
        }
        error => bad(error),
    })
}

fn bad(error: BadPart) -> Failure {
    let is_unknown = matches!(error, BadPart::Unknown(_));
    let failure = Failure::usage(error.to_string());
    if is_unknown {
        return failure
            .hint("parts are namespace, view, and veth:N and link:N, the Nth that it declares");
    }
    failure
}
