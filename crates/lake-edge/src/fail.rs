//! How an error ends the process and what a person reads.

use crate::Console;
use lake_core::{Exit, Fault, fault::Faulty};

/// Text that tells a person what to do; attached as context beside the fault.
#[derive(Debug, Clone)]
struct Hint(String);

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Turns a library's error into an `anyhow` error that still knows its fault.
pub trait Attach<T> {
    /// Attaches fault and hint.
    ///
    /// # Errors
    /// The same error, with context.
    fn attach(self) -> anyhow::Result<T>;
}

impl<T, E: Faulty> Attach<T> for Result<T, E> {
    fn attach(self) -> anyhow::Result<T> {
        self.map_err(|error| {
            let (fault, hint) = (error.fault(), error.hint());
            let error = anyhow::Error::new(error);
            let error = match hint {
                Some(hint) => error.context(Hint(hint)),
                None => error,
            };
            error.context(fault)
        })
    }
}

/// Returns how an error ends the process.
pub(crate) fn exit_of(error: &anyhow::Error) -> Exit {
    error.downcast_ref::<Fault>().map_or(Exit::Bug, |fault| Exit::from(*fault))
}

/// Returns the error's chain in one line, without the marks that only the edge reads.
pub(crate) fn text_of(error: &anyhow::Error) -> String {
    let marks = ["transient", "data", "configuration"];
    let hint = error.downcast_ref::<Hint>().map(ToString::to_string);
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let mark = marks.contains(&text.as_str()) || hint.as_deref() == Some(text.as_str());
        // A library that shows its cause in its own text says it once only.
        if !mark && !parts.iter().any(|said| said.ends_with(&text)) {
            parts.push(text);
        }
    }
    let text = parts.join(": ");
    if text.starts_with("failed to ") { text } else { format!("failed to {text}") }
}

/// Returns what a person can do: what was attached, or what the lake's own error knows where a plan handed it on.
fn hint_of(error: &anyhow::Error) -> Option<String> {
    let attached = error.downcast_ref::<Hint>().map(ToString::to_string);
    attached.or_else(|| error.downcast_ref::<lake_table::TableError>().and_then(Faulty::hint))
}

/// Prints an error and its hint and returns the exit.
pub(crate) fn report(console: &Console, error: &anyhow::Error) -> Exit {
    let exit = exit_of(error);
    console.note(&format!("error: {}", text_of(error)));
    if let Some(hint) = hint_of(error) {
        console.note(&format!("hint: {hint}"));
    }
    if exit == Exit::Bug {
        console.note("hint: this is a bug of ours; please report it with the command and the log");
    }
    tracing::error!(exit = exit.code(), name = exit.name(), "run failed");
    exit
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[derive(Debug)]
    struct Broken;
    impl std::fmt::Display for Broken {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("open the door")
        }
    }
    impl std::error::Error for Broken {}
    impl Faulty for Broken {
        fn fault(&self) -> Fault {
            Fault::Data
        }
        fn hint(&self) -> Option<String> {
            Some("knock".into())
        }
    }

    #[test]
    fn a_fault_survives_any_number_of_contexts() {
        let error = Err::<(), _>(Broken).attach().context("enter the house").context("failed to go home").unwrap_err();
        assert_eq!(exit_of(&error), Exit::Data);
        assert_eq!(text_of(&error), "failed to go home: enter the house: open the door");
        assert_eq!(error.downcast_ref::<Hint>().map(ToString::to_string).as_deref(), Some("knock"));
    }

    #[test]
    fn an_error_without_fault_is_a_bug() {
        assert_eq!(exit_of(&anyhow::anyhow!("x")), Exit::Bug);
        assert_eq!(text_of(&anyhow::anyhow!("x")), "failed to x");
    }

    #[test]
    fn an_error_of_the_lake_knows_what_to_do_without_the_edge() {
        let error = anyhow::Error::new(lake_table::TableError::Contended { table: "silver_sales".into(), seconds: 60 });
        let error = error.context(Fault::Transient).context("failed to write `silver_sales`");
        assert_eq!(hint_of(&error).as_deref(), Some("run the same command again"));
        assert_eq!(hint_of(&anyhow::anyhow!("x")), None);
    }
}
