//! Types of the Delta protocol under the names that Hive, and so Glue and Athena, have for them.

use serde_json::Value;

/// Digits that a decimal has at most.
const PRECISION_MAX: u8 = 38;

/// Returns Hive's name of a type of a Delta schema, or the part of it that Hive has no name for.
pub(crate) fn name_of(kind: &Value) -> Result<String, String> {
    if let Some(name) = kind.as_str() {
        return primitive(name);
    }
    let part = |key: &str| name_of(kind.get(key).unwrap_or(&Value::Null));
    match kind.get("type").and_then(Value::as_str) {
        Some("array") => Ok(format!("array<{}>", part("elementType")?)),
        Some("map") => Ok(format!("map<{},{}>", part("keyType")?, part("valueType")?)),
        Some("struct") => structure(kind),
        Some(other) => Err(other.to_owned()),
        None => Err("a type without a name".to_owned()),
    }
}

/// Both kinds of timestamp have one name: Hive knows one only, and Athena and Trino read the kind from the Delta log.
fn primitive(name: &str) -> Result<String, String> {
    let known = match name {
        "string" | "float" | "double" | "boolean" | "binary" | "date" | "timestamp" => name,
        "byte" => "tinyint",
        "short" => "smallint",
        "integer" => "int",
        "long" => "bigint",
        "timestamp_ntz" => "timestamp",
        other => return decimal(other).ok_or_else(|| other.to_owned()),
    };
    Ok(known.to_owned())
}

fn decimal(name: &str) -> Option<String> {
    let (precision, scale) = name.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale): (u8, u8) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    let fits = (1..=PRECISION_MAX).contains(&precision) && scale <= precision;
    fits.then(|| format!("decimal({precision},{scale})"))
}

fn structure(kind: &Value) -> Result<String, String> {
    let fields = kind.get("fields").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    // `struct<>` is no type of Hive's.
    if fields.is_empty() {
        return Err("struct<>".to_owned());
    }
    let field = |field: &Value| {
        let name = field.get("name").and_then(Value::as_str).unwrap_or_default();
        // Hive has no quotes for names inside a type: `a:b` would be read as another type.
        let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$');
        let kind = name_of(field.get("type").unwrap_or(&Value::Null))?;
        if plain { Ok(format!("{name}:{kind}")) } else { Err(format!("struct<{name}:...>")) }
    };
    let named: Result<Vec<String>, String> = fields.iter().map(field).collect();
    Ok(format!("struct<{}>", named?.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lake_core::contract::ColumnType;
    use serde_json::json;

    fn array(of: Value) -> Value {
        json!({ "type": "array", "elementType": of, "containsNull": true })
    }

    fn map(key: Value, value: Value) -> Value {
        json!({ "type": "map", "keyType": key, "valueType": value, "valueContainsNull": true })
    }

    fn structure_of(fields: &[(&str, Value)]) -> Value {
        let field = |(name, kind): &(&str, Value)| json!({ "name": name, "type": kind, "nullable": true, "metadata": {} });
        json!({ "type": "struct", "fields": fields.iter().map(field).collect::<Vec<_>>() })
    }

    #[test]
    fn every_primitive_type_of_delta_has_its_name() {
        for (delta, hive) in [
            ("string", "string"),
            ("long", "bigint"),
            ("integer", "int"),
            ("short", "smallint"),
            ("byte", "tinyint"),
            ("float", "float"),
            ("double", "double"),
            ("boolean", "boolean"),
            ("binary", "binary"),
            ("date", "date"),
            ("timestamp", "timestamp"),
            ("timestamp_ntz", "timestamp"),
            ("decimal(18,2)", "decimal(18,2)"),
            ("decimal(38, 38)", "decimal(38,38)"),
            ("decimal(1,0)", "decimal(1,0)"),
        ] {
            assert_eq!(name_of(&json!(delta)).as_deref(), Ok(hive), "{delta}");
        }
    }

    #[test]
    fn nested_types_hold_the_names_of_what_they_hold() {
        let line =
            structure_of(&[("sku", json!("string")), ("net_amount", json!("decimal(18,2)")), ("seen", array(json!("long")))]);
        assert_eq!(name_of(&array(array(json!("integer")))).unwrap(), "array<array<int>>");
        assert_eq!(name_of(&map(json!("string"), json!("timestamp"))).unwrap(), "map<string,timestamp>");
        assert_eq!(name_of(&line).unwrap(), "struct<sku:string,net_amount:decimal(18,2),seen:array<bigint>>");
        assert_eq!(
            name_of(&map(json!("string"), array(line))).unwrap(),
            "map<string,array<struct<sku:string,net_amount:decimal(18,2),seen:array<bigint>>>>"
        );
    }

    #[test]
    fn what_hive_has_no_name_for_is_named_however_deep_it_lies() {
        for delta in [
            "variant",
            "void",
            "interval year to month",
            "interval day to second",
            "timestamp_nanos",
            "geometry(OGC:CRS84)",
            "decimal",
            "decimal(39,2)",
            "decimal(0,0)",
            "decimal(2,3)",
            "decimal(2,-1)",
            "String",
            "",
        ] {
            assert_eq!(name_of(&json!(delta)), Err(delta.to_owned()));
            assert_eq!(name_of(&array(map(json!("string"), structure_of(&[("a", json!(delta))])))), Err(delta.to_owned()));
        }
        assert_eq!(name_of(&structure_of(&[("a:b", json!("string"))])), Err("struct<a:b:...>".to_owned()));
        assert_eq!(name_of(&structure_of(&[])), Err("struct<>".to_owned()));
        assert_eq!(name_of(&json!({ "type": "union" })), Err("union".to_owned()));
        for broken in [json!(null), json!(1), json!({}), json!({ "type": "array" })] {
            assert!(name_of(&broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn every_type_that_a_contract_may_name_has_one() {
        let decimal = ColumnType::Decimal(18, 10);
        for (kind, delta) in [
            (ColumnType::String, "string"),
            (ColumnType::Int, "integer"),
            (ColumnType::Long, "long"),
            (ColumnType::Double, "double"),
            (ColumnType::Boolean, "boolean"),
            (ColumnType::Date, "date"),
            (ColumnType::Timestamp, "timestamp"),
            (ColumnType::Binary, "binary"),
            (decimal, "decimal(18,10)"),
        ] {
            // Contracts name types as Spark and Hive do.
            assert_eq!(name_of(&json!(delta)).unwrap(), kind.to_string().to_lowercase());
        }
    }
}
