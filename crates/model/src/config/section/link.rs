//! `link` of a namespace: links of every kind that stand alone.

use super::part::{Everywhere, Part, Target};
use super::{Others, Section, Selector, Shape};
use crate::address::{InterfaceAddress, MacAddress};
use crate::config::contradictions::Contradictions;
use crate::config::diagnostic::{At, Place, Report};
use crate::config::fields::Fields;
use crate::config::links::{self, Links};
use crate::config::shared::{LinkName, addresses, link_name};
use crate::config::text::quote;
use crate::config::values;
use crate::desired::Link;
use crate::item::link::kind::{PARENT, PARENT_NETNS};
use crate::item::link::kinds::{KEYS, kind};
use crate::item::link::{parent, parent_netns};
use crate::item::{LinkKind, LinkPlace, Values};
use crate::name::NetnsRef;

/// One `link` of a namespace.
pub static SECTION: Section = Section {
    word: "link",
    shape: Shape::List,
    title: "a link",
    heading: "LINKS",
    summary: "links of any kind, besides veth pairs",
    about: "A link of the namespace. `kind` decides which of the other keys it takes. Where it \
            sends by another link, that is named by `parent` and its namespace by `parent_netns`; \
            a link that nothing here declares is waited for. Refused: keys of other kinds, and \
            links that are each other's parents.",
    keys: KEYS,
    selector: Some(Selector {
        key: "kind",
        others: Others::Refused,
    }),
    ..Section::EMPTY
};

/// One link.
#[derive(Debug)]
pub(in crate::config) struct Declared {
    name: Option<LinkName>,
    kind: Option<&'static LinkKind>,
    address: Vec<At<InterfaceAddress>>,
    mtu: Option<At<u32>>,
    mac: Option<MacAddress>,
    up: bool,
    values: Values,
    /// Where its parent is named, and that parent's namespace.
    parent: Option<Place>,
    parent_netns: Option<At<NetnsRef>>,
}

impl Part for Vec<Declared> {
    fn read(given: &[Fields<'_>], _here: &NetnsRef, report: &mut Report<'_>) -> Self {
        given.iter().map(|fields| read(fields, report)).collect()
    }

    fn add_links<'d>(&'d self, here: &'d NetnsRef, links: &mut Links<'d>) {
        for link in self {
            if let Some(name) = &link.name {
                links.add(
                    here,
                    links::Link {
                        name,
                        address: &link.address,
                        pair: None,
                        label: "a link has that name",
                    },
                );
            }
        }
    }

    fn references(&self) -> Vec<&At<NetnsRef>> {
        let netns = self.iter().filter_map(|link| link.parent_netns.as_ref());
        netns.collect()
    }

    fn rule_out<'d>(
        &'d self,
        here: &'d NetnsRef,
        _links: &Links<'d>,
        found: &mut Contradictions<'d>,
    ) {
        for link in self {
            if let (Some(name), Some(mtu)) = (&link.name, link.mtu) {
                found.mtu(here, &name.name, mtu, "this link");
            }
        }
    }

    fn check(declared: &Everywhere<'_, Self>, links: &Links<'_>, report: &mut Report<'_>) {
        for (here, all) in declared {
            for link in *all {
                if let (Some(place), Some(parent)) = (link.parent, parent(&link.values)) {
                    links.expect(place, &parent.interface, &parent.netns, report);
                    circle(declared, here, link, place, report);
                    let above = declared_at(declared, &parent).and_then(|it| it.kind);
                    fits(link, above, place, report);
                }
            }
        }
    }

    fn build(self, target: &mut Target<'_>) -> Option<()> {
        let link = |link: Declared| {
            Some(Link {
                interface: link.name?.name,
                kind: link.kind?,
                address: link.address.into_iter().map(|it| it.value).collect(),
                mtu: link.mtu.map(|mtu| mtu.value),
                mac: link.mac,
                up: link.up,
                values: link.values,
            })
        };
        let links = self.into_iter().map(link).collect::<Option<_>>()?;
        if let Some(netns) = &mut target.netns {
            netns.links = links;
        }
        Some(())
    }
}

/// Reads one `link`.
fn read(fields: &Fields<'_>, report: &mut Report<'_>) -> Declared {
    let name = fields.string("interface", report);
    let kind = fields.one_of("kind", report).and_then(kind);
    let keys = kind.into_iter().flat_map(|kind| kind.keys);
    let (values, is_whole) = fields.values(keys, report);
    let at = |word| fields.entry(word).map(|entry| entry.node.place);
    if let Some(wrong) = kind
        .and_then(|kind| (kind.check)(&values))
        .filter(|_| is_whole)
    {
        let place = at(wrong.word).unwrap_or(fields.place);
        report.error(place, wrong.message).hint(wrong.hint);
    }
    Declared {
        name: name.and_then(|text| link_name(text, "interface", report)),
        kind,
        address: addresses(fields.strings("address", report), report),
        mtu: fields.integer("mtu", report),
        mac: fields
            .value("mac", report, values::mac)
            .map(|mac| mac.value),
        up: fields.boolean("up", report).unwrap_or(true),
        parent: at(PARENT),
        parent_netns: parent_netns(&values).map(|value| At {
            value,
            place: at(PARENT_NETNS).unwrap_or(fields.place),
        }),
        values,
    }
}

/// Refuses a link that is its own parent, or that of its parent, and so on.
fn circle(
    declared: &Everywhere<'_, Vec<Declared>>,
    here: &NetnsRef,
    link: &Declared,
    place: Place,
    report: &mut Report<'_>,
) {
    let Some(name) = &link.name else { return };
    let own = LinkPlace::new(here, &name.name);
    let mut next = parent(&link.values);
    // No way up is longer than there are links.
    for _ in 0..declared.values().map(|links| links.len()).sum() {
        match next {
            Some(at) if at == own => {
                let message = format!("link {} is its own parent", quote(name.name.as_str()));
                let hint = "a link sends by another one, and in the end by one without a parent";
                report.error(place, message).hint(hint);
                return;
            }
            Some(at) => next = parent_of(declared, &at),
            None => return,
        }
    }
}

/// Refuses a parent of a kind that `link` cannot send by.
fn fits(link: &Declared, above: Option<&LinkKind>, place: Place, report: &mut Report<'_>) {
    let (Some(kind), Some(above)) = (link.kind, above) else {
        return;
    };
    if kind.never_on.contains(&above.word) {
        let message = format!("a {} link cannot send by a {} link", kind.word, above.word);
        let hint = "the kernel would take that link's own parent: name it here";
        report.error(place, message).hint(hint);
    }
}

/// The parent of a link that is declared at `place`.
fn parent_of(declared: &Everywhere<'_, Vec<Declared>>, place: &LinkPlace) -> Option<LinkPlace> {
    parent(&declared_at(declared, place)?.values)
}

/// The link that is declared at `place`.
fn declared_at<'d>(
    declared: &Everywhere<'d, Vec<Declared>>,
    place: &LinkPlace,
) -> Option<&'d Declared> {
    let links = declared.get(&place.netns)?;
    links.iter().find(|link| {
        let name = link.name.as_ref();
        name.is_some_and(|name| name.name == place.interface)
    })
}
