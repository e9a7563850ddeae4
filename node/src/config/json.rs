//! A free TOML table as the JSON value that a guest is handed.

use serde_json::{Map, Number, Value};
use toml::de::DeValue;

/// The same value in JSON; dates become strings.
///
/// # Errors
///
/// What cannot be said in JSON: a number that is not finite or has more than 64 bits.
pub(super) fn from_toml(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => {
            let (text, radix) = (integer.as_str(), integer.radix());
            let number = i64::from_str_radix(text, radix).map(Number::from);
            let number = number.or_else(|_| u64::from_str_radix(text, radix).map(Number::from));
            Value::Number(number.map_err(|_| format!("{text} has more than 64 bits"))?)
        }
        DeValue::Float(float) => {
            let text = float.as_str();
            let number = text.parse().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or_else(|| format!("{text} is not allowed; allowed: finite"))?)
        }
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(elements) => Value::Array(
            elements
                .iter()
                .map(|e| from_toml(e.get_ref()))
                .collect::<Result<_, _>>()?,
        ),
        DeValue::Table(table) => {
            let mut map = Map::new();
            for (key, value) in table {
                map.insert(key.get_ref().to_string(), from_toml(value.get_ref())?);
            }
            Value::Object(map)
        }
    })
}
