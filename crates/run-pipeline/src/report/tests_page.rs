use super::*;

const EVIL: &str = "</script><script>alert(1)</script><!-- &amp; \u{2028}";

#[test]
fn hashes_are_those_of_the_standard() {
    assert_eq!(source("").unwrap(), "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='");
    assert_eq!([base64(b"a"), base64(b"ab"), base64(b"abc")], ["YQ==", "YWI=", "YWJj"]);
}

#[test]
fn no_value_leaves_its_element() {
    let json = serde_json::json!({ "title": EVIL, EVIL: [EVIL] }).to_string();
    let (page, harmless) = (html(&json).unwrap(), html("{}").unwrap());
    for mark in ["<script", "</script", "<!--", "-->", "&amp;"] {
        assert_eq!(page.matches(mark).count(), harmless.matches(mark).count(), "{mark}");
    }
    let island = page.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(island).unwrap(),
        serde_json::from_str::<serde_json::Value>(&json).unwrap()
    );
}

#[test]
fn the_policy_allows_the_page_s_own_texts_and_nothing_else() {
    let page = html("{}").unwrap();
    let policy = page.split_once("Content-Security-Policy\" content=\"").unwrap().1.split_once('"').unwrap().0;
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    for word in policy.split([' ', ';']).filter(|word| !word.is_empty()) {
        let known =
            word.starts_with("'sha256-") || word == "'none'" || word == "'script'" || !word.contains(['\'', '*', ':', '.']);
        assert!(known, "{word}");
    }
    // The texts of the elements are exactly those that were hashed.
    let inside = |from: &str, to: &str| page.rsplit_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
    let of_scripts: Vec<&str> = page.split("<script>").skip(1).map(|rest| rest.split_once("</script>").unwrap().0).collect();
    assert_eq!(of_scripts.len(), 2);
    for text in [of_scripts[0], of_scripts[1], &inside("<style>", "</style>")] {
        assert!(policy.contains(&source(text).unwrap()));
    }
}

#[test]
fn scripts_turn_no_text_into_markup_and_ask_nobody() {
    for script in SCRIPTS {
        for sink in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(", "fetch(", "import("] {
            assert!(!script.contains(sink), "{sink}");
        }
        let addresses = script.replace("http://www.w3.org/2000/svg", "");
        assert!(!addresses.contains("://") && !script.contains("</script") && !script.contains("<!--"));
    }
    assert!(!CHARTS.contains("</script") && !CHARTS.contains("<!--") && !STYLE.contains("</style") && !STYLE.contains("url("));
}

#[test]
fn the_chart_library_is_the_one_that_was_pinned() {
    let pins = include_str!("vendor/SHA256SUMS");
    for (name, text) in [("chart.umd.min.js", CHARTS), ("chart.LICENSE.md", CHARTS_LICENCE)] {
        let line = format!("{}  {name}", sha256_hex(text.as_bytes()));
        assert!(pins.lines().any(|pin| pin == line), "run ci/vendor-charts: {line}");
    }
    assert!(CHARTS_LICENCE.starts_with("The MIT License"));
}
