//! Rules by number: a row's broken rules are a handful of small integers until somebody writes them down.

/// A rule of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule(u16);

/// The ids of an input's rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules(Vec<String>);

impl Rules {
    /// Returns the rule of an id, the same one for the same id.
    pub(crate) fn add(&mut self, id: impl Into<String>) -> Rule {
        let id = id.into();
        let at = self.0.iter().position(|known| *known == id).unwrap_or_else(|| {
            self.0.push(id);
            self.0.len() - 1
        });
        Rule(u16::try_from(at).unwrap_or(u16::MAX))
    }

    /// Writes rules as quarantine shows them.
    pub(crate) fn text(&self, rules: &[Rule]) -> String {
        let ids: Vec<&str> = rules.iter().filter_map(|rule| self.0.get(usize::from(rule.0)).map(String::as_str)).collect();
        ids.join(",")
    }
}

/// Adds a rule to those that a row breaks, once.
pub(crate) fn broken(rules: &mut Vec<Rule>, rule: Rule) {
    if !rules.contains(&rule) {
        rules.push(rule);
    }
}
