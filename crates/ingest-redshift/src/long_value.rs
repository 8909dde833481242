//! Values that are longer as text than Redshift's VARCHAR holds: SUPER as JSON, VARBYTE as digits.

/// Completes "failed to read rows: ".
pub(crate) const PROBLEM: &str = "a value is longer as text than Redshift's VARCHAR holds";

/// What the person who reads the error can do.
pub(crate) const HINT: &str = "nothing was landed, and a new try ends the same way; find the rows by JSON_SIZE(column) > 65535 \
                               of SUPER or OCTET_LENGTH(column) > 32767 of VARBYTE, and shorten them at the source or take \
                               the column out of the contract";

/// Whether the server's words, detail included, say so.
///
/// There is no SQLSTATE for it. The documentation says only that there is an error; who met it reports "Invalid input" and, in the
/// detail, code 8001 and "String value exceeds the max size of 65535 bytes". The number is the service's to change.
pub(crate) fn told_by(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("value exceeds the max size of") || text.contains("value too long for type character varying")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detail_tells_of_a_long_value() {
        assert!(told_by("Invalid input\n  code: 8001\n  context: String value exceeds the max size of 65535 bytes"));
        assert!(told_by("ERROR: value too long for type character varying(65535)"));
        assert!(!told_by("Invalid input\n  code: 8001\n  context: Invalid JSON"));
        assert!(!told_by("ERROR: S3ServiceException: Please reduce your request rate."));
    }
}
