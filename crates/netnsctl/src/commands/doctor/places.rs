//! The namespaces that can be watched, and what people call them.

use netnsctl_base::error::Error;
use netnsctl_base::netns::Netns;
use netnsctl_kernel::names;
use netnsctl_model::name::NetnsName;

use crate::output::Failure;

/// A namespace that may be watched.
pub(super) struct Place {
    /// What people call it.
    pub(super) called: String,
    /// Its name; home has none.
    pub(super) name: Option<NetnsName>,
    pub(super) netns: Netns,
}

/// Home, and all namespaces that have a name.
pub(super) struct Places(pub(super) Vec<Place>);

impl Places {
    /// Those that can be opened; the others, and why not.
    pub(super) fn all(home: Netns) -> Result<(Self, Vec<(String, String)>), Failure> {
        let mut places = vec![Place {
            called: "the host namespace".to_owned(),
            name: None,
            netns: home,
        }];
        let mut closed = Vec::new();
        for name in names::entries()? {
            let called = format!("netns \"{name}\"");
            match names::open(&name) {
                Ok(netns) => {
                    let name = Some(name);
                    places.push(Place {
                        called,
                        name,
                        netns,
                    });
                }
                // A file without a namespace has nothing to be watched.
                Err(Error::Stale(_)) => {}
                Err(error) => closed.push((called, error.to_string())),
            }
        }
        Ok((Self(places), closed))
    }

    /// What the namespace of that inode is called.
    pub(super) fn called(&self, inode: u64) -> String {
        let found = self.0.iter().find(|place| place.netns.inode == inode);
        found.map_or_else(
            || format!("net:[{inode}], which has no name"),
            |place| place.called.clone(),
        )
    }
}
