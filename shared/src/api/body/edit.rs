//! Parts of a body that a layer takes out before the endpoint reads it.

use serde_json::Value;

use super::JsonBody;
use crate::api::error::ApiError;

impl JsonBody {
    /// Takes a field out of the object.
    pub(in crate::api) fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field)
    }

    /// Returns the object as JSON text.
    pub(in crate::api) fn to_bytes(&self) -> Vec<u8> {
        Value::Object(self.fields.clone()).to_string().into_bytes()
    }

    /// Returns the text of a required field that is a whole number or a text.
    ///
    /// # Errors
    /// 400, naming the field.
    pub(in crate::api) fn number_text(&self, field: &str) -> Result<String, ApiError> {
        match self.fields.get(field) {
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => self.required(field).map(str::to_owned),
        }
    }
}
