//! The page: one HTML file in which nothing but its own scripts and its own style may run or load.
//!
//! The content security policy allows exactly the texts below, by their hashes, and no address at all. The data is JSON in an
//! element that no browser runs; the scripts put it into the page as text only.

use anyhow::Context as _;
use lake_core::mask::sha256_hex;

const STYLE: &str = include_str!("page/style.css");
const CHARTS: &str = include_str!("vendor/chart.umd.min.js");
const CHARTS_LICENCE: &str = include_str!("vendor/chart.LICENSE.md");
const SCRIPTS: [&str; 7] = [
    include_str!("page/dom.js"),
    include_str!("page/plots.js"),
    include_str!("page/business.js"),
    include_str!("page/operations.js"),
    include_str!("page/quality.js"),
    include_str!("page/lineage.js"),
    include_str!("page/main.js"),
];

/// Returns the page around its data.
pub(super) fn html(json: &str) -> anyhow::Result<String> {
    let script = format!("\"use strict\";\n(() => {{\n{}}})();\n", SCRIPTS.join("\n"));
    let policy = [
        "default-src 'none'".to_owned(),
        format!("script-src {} {}", source(CHARTS)?, source(&script)?),
        format!("style-src {}", source(STYLE)?),
        "base-uri 'none'".to_owned(),
        "form-action 'none'".to_owned(),
        "require-trusted-types-for 'script'".to_owned(),
        "trusted-types 'none'".to_owned(),
    ];
    let parts = [
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
        &format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n", policy.join("; ")),
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<meta name=\"referrer\" content=\"no-referrer\">\n<title>Lakehouse report</title>\n",
        &format!("<!--\nThe plots are drawn by Chart.js:\n\n{}-->\n", CHARTS_LICENCE.replace("--", "- -")),
        &format!("<style>{STYLE}</style>\n</head>\n<body>\n"),
        "<noscript>This report is drawn by scripts that stand in it; allow them to see it.</noscript>\n",
        "<main id=\"page\"></main>\n",
        &format!("<script type=\"application/json\" id=\"data\">{}</script>\n", escaped(json)),
        &format!("<script>{CHARTS}</script>\n<script>{script}</script>\n</body>\n</html>\n"),
    ];
    Ok(parts.concat())
}

/// In JSON these stand in texts only, where the escape means the same: so no value can end its element or begin another.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text.push_str(&format!("\\u{:04x}", u32::from(letter))),
            other => text.push(other),
        }
    }
    text
}

/// Returns the source expression of a text: what a policy calls its hash.
fn source(text: &str) -> anyhow::Result<String> {
    let hex = sha256_hex(text.as_bytes());
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2).unwrap_or_default(), 16);
    let bytes: Result<Vec<u8>, _> = (0..hex.len()).step_by(2).map(byte).collect();
    Ok(format!("'sha256-{}'", base64(&bytes.context("failed to hash the page")?)))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().chain([0, 0].iter()).take(3).fold(0_usize, |bits, byte| (bits << 8) | usize::from(*byte));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) & 63];
            text.push(if place > three.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
#[path = "tests_page.rs"]
mod tests;
