//! Which of the ECB's files answers for a window, and how it is fetched.

use crate::{
    Args,
    decode::{self, Sheet, Wanted},
};
use anyhow::Context as _;
use lake_edge::Attach as _;
use lake_http::{Client, HttpError, Limits};

/// The archive is 0.6 MB today; a body far beyond that is no archive of rates.
const BYTES_MAX: u64 = 16 << 20;
/// Calendar days that the file of 90 days surely spans.
const NINETY_DAYS: i64 = 85;

/// One of the ECB's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum File {
    /// The newest observation.
    Daily,
    /// The last 90 days.
    Ninety,
    /// Everything since 1999, as CSV in a zip archive.
    History,
}

impl File {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Daily => "eurofxref-daily.xml",
            Self::Ninety => "eurofxref-hist-90d.xml",
            Self::History => "eurofxref-hist.zip",
        }
    }
}

/// Returns the files that may answer for so many days, the smallest first; the whole history always can.
fn candidates(days: i64) -> &'static [File] {
    match days {
        ..=1 => &[File::Daily, File::Ninety, File::History],
        2..=NINETY_DAYS => &[File::Ninety, File::History],
        _ => &[File::History],
    }
}

/// Returns the smallest file that answers for the whole range, and what it says.
///
/// A file answers when its oldest observation is not newer than the first day that is wanted: otherwise days in between
/// could be missing, as when a past window is run today.
pub(crate) async fn fetch(args: &Args, wanted: &Wanted) -> anyhow::Result<(File, Sheet)> {
    let limits = Limits { bytes_max: BYTES_MAX, ..Limits::from(&args.limits) };
    let client = Client::new(concat!("sluice/", env!("CARGO_PKG_VERSION")), limits).attach()?;
    for file in candidates(wanted.days()) {
        let url = args.url.join(file.name()).with_context(|| format!("failed to address {}", file.name()))?;
        let body = match client.get(&url).await {
            Ok(body) => body,
            // Mirrors often serve the archive alone.
            Err(HttpError::Refused { status: 404, .. }) if *file != File::History => continue,
            Err(error) => return Err(error).attach(),
        };
        let sheet = match file {
            File::History => decode::history(file.name(), &body, wanted),
            File::Daily | File::Ninety => decode::xml(file.name(), &body, wanted),
        };
        let sheet = sheet.attach()?;
        if *file == File::History || sheet.oldest.is_some_and(|oldest| oldest <= wanted.first) {
            return Ok((*file, sheet));
        }
    }
    // The last candidate is the history, which returns or fails above.
    Err(anyhow::anyhow!("failed to choose a file of exchange rates"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_always_the_last_resort() {
        for days in [0, 1, 2, 85, 86, 5_000] {
            assert_eq!(candidates(days).last(), Some(&File::History), "{days}");
        }
        assert_eq!(candidates(1).first(), Some(&File::Daily));
        assert_eq!(candidates(91), &[File::History]);
    }
}
