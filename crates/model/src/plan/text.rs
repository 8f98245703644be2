//! A plan as a person reads it: a heading for each namespace and a line for each step.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{LinkPlace, Plan, Step, Waiting};

/// The tense of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tense {
    /// What would be done.
    Future,
    /// What was done.
    Past,
}

/// The whole plan: headings, signed lines, then a line that counts.
pub fn render(plan: &Plan, tense: Tense) -> String {
    // They come in runs, which a stable sort leaves together at little cost.
    let mut steps: Vec<_> = shown(plan).collect();
    steps.sort_by_key(|step| &step.of);
    let mut text = String::new();
    for of_one in steps.chunk_by(|one, next| one.of == next.of) {
        for (number, step) in of_one.iter().enumerate() {
            if number == 0 {
                let _ = writeln!(text, "netns {}", step.of);
            }
            let _ = writeln!(text, "  {} {}", step.verb.sign(), step.describe());
        }
    }
    text.push_str(&summary(plan, tense));
    text.push('\n');
    text
}

/// What waits, a line for each link that is waited for.
pub fn waiting(plan: &Plan) -> Vec<String> {
    waiting_of(&plan.waiting)
}

/// The same of some of what waits.
pub fn waiting_of<'p>(waiting: impl IntoIterator<Item = &'p Waiting>) -> Vec<String> {
    let mut by_link: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in waiting {
        by_link.entry(&one.link).or_default().push(one);
    }
    let line = |(link, waiting): (&LinkPlace, Vec<&Waiting>)| {
        let items = waiting.iter().map(|one| match one.of == link.netns {
            true => one.describe(),
            false => format!("{} of netns \"{}\"", one.describe(), one.of),
        });
        let items: Vec<_> = items.collect();
        let (interface, netns) = (&link.interface, &link.netns);
        format!(
            "waiting for link \"{interface}\" in netns \"{netns}\": {}",
            items.join(", ")
        )
    };
    by_link.into_iter().map(line).collect()
}

/// The steps that are shown.
pub fn shown(plan: &Plan) -> impl Iterator<Item = &Step> {
    plan.steps.iter().filter(|step| !step.quiet)
}

/// `3 to add, 1 to change, 0 to remove`, or that there is nothing to do.
fn summary(plan: &Plan, tense: Tense) -> String {
    let count = |sign| shown(plan).filter(|step| step.verb.sign() == sign).count();
    let [added, changed, removed] = ['+', '~', '-'].map(count);
    match tense {
        _ if plan.steps.is_empty() => "nothing to do".to_owned(),
        Tense::Future => format!("{added} to add, {changed} to change, {removed} to remove"),
        Tense::Past => format!("{added} added, {changed} changed, {removed} removed"),
    }
}
