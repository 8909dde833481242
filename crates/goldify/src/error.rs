//! Why a Gold table is not built, and who has to act.

use lake_core::{Fault, fault::Faulty};

/// Why a Gold table is not built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GoldError {
    /// The contract is of another layer, or has no model.
    #[error("it is no Gold table with a model.sql")]
    NoModel,
    /// A step of a model may show what its result must not.
    #[error("the model reads the sensitive column `{column}`, so its steps are not shown")]
    SensitiveStep {
        /// As `table.column`.
        column: String,
    },
    /// A step of a model tells of small groups, which its result hides.
    #[error("the model hides groups of few people by suppression_threshold(), so its steps are not shown")]
    SmallGroups,
    /// No run has built the table.
    #[error("`{table}` is not built yet")]
    NotBuilt {
        /// The table.
        table: String,
    },
    /// The model is not the one that built the table.
    #[error("the model of `{table}`, its contract or the policy has changed since the table was built")]
    OtherModel {
        /// The table.
        table: String,
    },
    /// The contract accounts for inputs without saying how.
    #[error("the contract accounts for inputs, but there is no ledger.sql beside it")]
    NoLedger,
    /// The contract keeps rows per date and the model does not know the date.
    #[error("the contract has a `snapshot`, but model.sql does not ask for as_of_date()")]
    SnapshotWithoutDate,
    /// A snapshot with rejected rows.
    #[error("the contract has a `snapshot`, whose rows cannot be quarantined, but model.sql returns `_rules`")]
    SnapshotRules,
    /// Rows of a snapshot that are not of the run's date.
    #[error("{rows} rows of the result have another `{column}` than the run; nothing was committed")]
    OtherDates {
        /// How many.
        rows: u64,
        /// The snapshot's column.
        column: String,
    },
    /// The ledger accounts for a table that the contract does not name.
    #[error("ledger.sql accounts for `{input}`, which is not in `accountsFor`")]
    Unaccounted {
        /// As in the ledger.
        input: String,
    },
    /// A version of something else was given.
    #[error("`--input {input}@...`: it is no input of `{table}`")]
    NoInput {
        /// As given.
        input: String,
        /// The table.
        table: String,
    },
    /// An input does not exist.
    #[error("input `{input}` is not there yet")]
    Missing {
        /// The input.
        input: String,
    },
    /// No version of an input may be read.
    #[error("no version of input `{input}` has passed its checks under its present contract")]
    Unchecked {
        /// The input.
        input: String,
    },
    /// The version that was given may not be read.
    #[error("version {version} of input `{input}` {}", if *.failed { "failed its checks" } else { "is not checked under its present contract" })]
    NotPassed {
        /// The input.
        input: String,
        /// As given.
        version: i64,
        /// It was checked and failed.
        failed: bool,
    },
    /// The inputs were made from different versions of one table.
    #[error("the inputs do not belong together: of `{source_table}`, {one}, but {other}")]
    Torn {
        /// What they have in common.
        source_table: String,
        /// Who has seen what of it.
        one: String,
        /// Who has seen what else.
        other: String,
    },
    /// The table is newer than the inputs.
    #[error("`{table}` is made from newer versions of its inputs than this run was given")]
    Behind {
        /// The table.
        table: String,
    },
    /// A table still has the key that a rotation took from all others.
    #[error("the tokens of `{table}` are of key `{id}`, but those of the lake are of key `{lake}` since the last rotation")]
    KeyLeftBehind {
        /// The table.
        table: String,
        /// Its key.
        id: String,
        /// The lake's.
        lake: String,
        /// Where the lake's is.
        secret: String,
    },
    /// Nobody has the key of a table's tokens.
    #[error("the tokens of `{table}` are to be of key `{id}`, which is in none of the secrets `{secrets}`")]
    KeyUnknown {
        /// The table.
        table: String,
        /// The key.
        id: String,
        /// Where it was looked for.
        secrets: String,
    },
    /// A rotation came in between.
    #[error("the tokens of `{table}` are of key `{id}` meanwhile; nothing was committed")]
    KeyChanged {
        /// The table.
        table: String,
        /// Its key now.
        id: String,
    },
    /// Inputs whose tokens cannot meet.
    #[error("the tokens of the inputs do not belong together: {one}, but {other}")]
    Keys {
        /// Who has which key.
        one: String,
        /// Who has which other.
        other: String,
    },
    /// A key that cannot take the place of another.
    #[error("key `{id}` of secret `{secret}` {problem}")]
    KeyRefused {
        /// The key.
        id: String,
        /// Where it is.
        secret: String,
        /// Why not.
        problem: String,
    },
    /// A rebuilt table that differs in more than its tokens.
    #[error("`{table}`, made again from the same inputs, differs from what stands there in more than its tokens: {difference}")]
    Exchanged {
        /// The table.
        table: String,
        /// In what.
        difference: String,
    },
    /// The result fails rules.
    #[error("the result breaks its contract: {rules}; nothing was committed")]
    Broken {
        /// Rules with what was measured.
        rules: String,
    },
    /// Rows of an input are not accounted for.
    #[error("the rows of `{input}` are not accounted for; nothing was committed")]
    Unbalanced {
        /// The input.
        input: String,
        /// By how much.
        #[source]
        imbalance: lake_core::ledger::Imbalance,
    },
    /// A sum is not that of the inputs.
    #[error("sums are not conserved: {sums}; nothing was committed")]
    Unconserved {
        /// Which, found and expected.
        sums: String,
    },
}

impl Faulty for GoldError {
    fn fault(&self) -> Fault {
        match self {
            Self::NoModel
            | Self::NoLedger
            | Self::SensitiveStep { .. }
            | Self::SmallGroups
            | Self::SnapshotWithoutDate
            | Self::SnapshotRules
            | Self::Unaccounted { .. }
            | Self::NoInput { .. }
            | Self::KeyLeftBehind { .. }
            | Self::KeyUnknown { .. }
            | Self::KeyRefused { .. } => Fault::Config,
            Self::Missing { .. } | Self::Torn { .. } | Self::Behind { .. } | Self::KeyChanged { .. } | Self::Keys { .. } => {
                Fault::Transient
            }
            Self::NotBuilt { .. }
            | Self::OtherModel { .. }
            | Self::Unchecked { .. }
            | Self::NotPassed { .. }
            | Self::Broken { .. }
            | Self::OtherDates { .. }
            | Self::Exchanged { .. }
            | Self::Unbalanced { .. }
            | Self::Unconserved { .. } => Fault::Data,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotBuilt { table } | Self::OtherModel { table } => Some(format!("run goldify {table} first")),
            Self::Missing { input } => Some(format!("build `{input}` first")),
            Self::Unchecked { input } => Some(format!("run dq-check {input}")),
            Self::NotPassed { input, version, .. } => Some(format!("run dq-check {input} --input {input}@{version}")),
            Self::Torn { .. } | Self::Behind { .. } => Some("let all inputs catch up, then resolve their versions again".into()),
            Self::KeyLeftBehind { secret, .. } => Some(format!("run goldify rotate-key --to {secret}")),
            Self::KeyUnknown { .. } => Some("only goldify rotate-key --to SECRET changes the key of tokens".into()),
            Self::Keys { .. } | Self::KeyChanged { .. } => {
                Some("end the rotation with goldify rotate-key, and judge what it rotated with dq-check".into())
            }
            Self::Exchanged { table, .. } => Some(format!("run goldify {table} first, then rotate")),
            _ => None,
        }
    }
}
