//! What a snapshot says of a notebook: `BOX/.siyuan/conf.json`.

use serde_json::Value;

use super::text;

/// What is shown for a notebook whose configuration is not there, as SiYuan does.
const UNTITLED: &str = "Untitled";

/// The largest configuration that is read, bytes.
pub const LARGEST: u64 = 1 << 20;

/// A notebook, as its configuration describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notebook {
    /// Its name.
    pub name: String,
    /// Its notes are encrypted.
    pub encrypted: bool,
    /// What its key is wrapped in, base64, if it is encrypted.
    pub wrapped_key: Option<String>,
}

impl Default for Notebook {
    fn default() -> Self {
        Self { name: UNTITLED.to_owned(), encrypted: false, wrapped_key: None }
    }
}

impl Notebook {
    /// Reads a `conf.json`; one that is damaged says nothing.
    pub fn parse(json: &[u8]) -> Self {
        let Ok(json) = serde_json::from_slice::<Value>(json) else { return Self::default() };
        let name = json.get("name").and_then(Value::as_str).unwrap_or("");
        let name = if name.is_empty() { UNTITLED.to_owned() } else { text::title(name) };
        let encrypted = json.get("encrypted").and_then(Value::as_bool).unwrap_or(false);
        let wrapped = json.get("boxCrypt").and_then(|crypt| crypt.get("wrappedDEK"));
        let wrapped_key = wrapped.and_then(Value::as_str).map(str::to_owned);
        Self { name, encrypted, wrapped_key }
    }

    /// Takes over what the copy of its wrapped key says, which only encrypted notebooks have.
    pub fn add_backup(&mut self, json: &[u8]) {
        self.encrypted = true;
        if self.wrapped_key.is_none() {
            let json = serde_json::from_slice::<Value>(json).ok();
            self.wrapped_key =
                json.and_then(|json| Some(json.get("wrappedDEK")?.as_str()?.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations() {
        let plain = Notebook::parse(br#"{"name":"Field notes","encrypted":false,"boxCrypt":null}"#);
        assert_eq!(plain.name, "Field notes");
        assert!(!plain.encrypted);
        let locked =
            Notebook::parse(br#"{"name":"S","encrypted":true,"boxCrypt":{"wrappedDEK":"QQ=="}}"#);
        assert!(locked.encrypted);
        assert_eq!(locked.wrapped_key.as_deref(), Some("QQ=="));
        assert_eq!(Notebook::parse(b"{}"), Notebook::default());
        assert_eq!(Notebook::parse(b"nonsense").name, "Untitled");
    }
}
