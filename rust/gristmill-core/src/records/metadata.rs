//! The metadata of a document: a JSON object as Python's `json.dumps` writes it, keys sorted.

use std::ops::Range;

use super::json::{Cursor, write_string};

/// Keys of the record that are no column.
pub(super) const EXTRA: u8 = 0;
/// Keys of the record's own metadata, which count more.
pub(super) const GIVEN: u8 = 1;
/// What the reading adds, which counts most.
pub(super) const ADDED: u8 = 2;

/// Keys with their values as JSON text.
#[derive(Debug, Default)]
pub(super) struct Metadata<'a> {
    entries: Vec<Entry<'a>>,
    values: String,
}

#[derive(Debug)]
struct Entry<'a> {
    key: &'a str,
    layer: u8,
    /// None when the key was there and its value is left out.
    value: Option<Range<usize>>,
}

impl<'a> Metadata<'a> {
    /// Add a key whose value `write` appends as JSON text; it says whether the value stays.
    pub(super) fn add(
        &mut self,
        layer: u8,
        key: &'a str,
        write: impl FnOnce(&mut String) -> Option<bool>,
    ) -> Option<()> {
        let start = self.values.len();
        let stays = write(&mut self.values)?;
        let value = stays.then_some(start..self.values.len());
        self.entries.push(Entry { key, layer, value });
        Some(())
    }

    /// Add a string.
    pub(super) fn add_str(&mut self, layer: u8, key: &'a str, value: &str) {
        let start = self.values.len();
        write_string(value, &mut self.values);
        self.entries.push(Entry { key, layer, value: Some(start..self.values.len()) });
    }

    /// Add the keys of the JSON object that `cursor` is at.
    pub(super) fn add_object(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        cursor.object(|cursor, key| self.add(GIVEN, key, |out| cursor.value(out).map(|()| true)))
    }

    /// Add the keys of a JSON object; None when the text is anything else.
    pub(super) fn add_json(&mut self, text: &'a str) -> Option<()> {
        let mut cursor = Cursor::new(text);
        self.add_object(&mut cursor)?;
        cursor.ended()
    }

    /// Append the object to `out`; None when a key is there twice in a layer.
    pub(super) fn write(&mut self, out: &mut String) -> Option<()> {
        self.entries.sort_unstable_by_key(|entry| (entry.key, entry.layer));
        let mut separator = "";
        out.push('{');
        for (at, entry) in self.entries.iter().enumerate() {
            if let Some(next) = self.entries.get(at + 1).filter(|next| next.key == entry.key) {
                if next.layer == entry.layer {
                    return None;
                }
                continue;
            }
            if let Some(value) = &entry.value {
                out.push_str(separator);
                write_string(entry.key, out);
                out.push_str(": ");
                out.push_str(&self.values[value.clone()]);
                separator = ", ";
            }
        }
        out.push('}');
        Some(())
    }
}
