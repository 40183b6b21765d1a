//! A folder of views: `.json` files are ViewDefinitions, `.sql` files are views with a header, as those of `sql/views`.
//!
//! One invariant: a name means one view. Two files of one name are refused; a file with the name of one of the program's views stands
//! for it.

use std::collections::BTreeMap;
use std::path::Path;

use fhir_sql::ViewDefinition;

use super::{View, definition};
use crate::error::{Error, Result};

/// Views by their names.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    views: BTreeMap<String, FolderView>,
    /// Name → the whole file.
    texts: BTreeMap<String, String>,
}

/// A view of a folder.
#[derive(Debug, Clone)]
pub enum FolderView {
    /// SQL over tables and other views.
    Sql(Box<View>),
    /// A ViewDefinition over a table.
    Definition(Box<ViewDefinition>),
}

impl Folder {
    /// Reads the files of a folder. All others are left alone.
    ///
    /// # Errors
    /// [`Error::Query`] for a file that is no view, or whose name is taken.
    pub fn read(folder: &Path) -> Result<Self> {
        let listed = std::fs::read_dir(folder).map_err(Error::io("list", folder))?;
        let mut paths = Vec::new();
        for entry in listed {
            paths.push(entry.map_err(Error::io("list", folder))?.path());
        }
        paths.sort();
        let (mut views, mut texts) = (BTreeMap::new(), BTreeMap::new());
        for path in paths {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if !matches!(extension, Some("json" | "sql")) {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
            let (name, view) = match extension {
                Some("json") => {
                    let definition = definition::parse(&path, &text)?;
                    let name = definition.name.clone().unwrap_or_else(|| stem.to_owned());
                    (name, FolderView::Definition(Box::new(definition)))
                }
                _ => (stem.to_owned(), FolderView::Sql(Box::new(sql(&path, &text, stem)?))),
            };
            texts.insert(name.clone(), text);
            if views.insert(name.clone(), view).is_some() {
                return Err(Error::Query(format!(
                    "{}: there are two views of the name {name}",
                    path.display()
                )));
            }
        }
        Ok(Self { views, texts })
    }

    /// A view by its name.
    pub fn find(&self, name: &str) -> Option<&FolderView> {
        self.views.get(name)
    }

    /// The file of a view.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// The names of all views.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.views.keys().map(String::as_str)
    }
}

fn sql(path: &Path, text: &str, stem: &str) -> Result<View> {
    super::parse(text).filter(|view| view.name == stem).ok_or_else(|| {
        Error::Query(format!(
            "{}: its header lacks something: name (that of the file), description, fhir, grain, columns, each in a comment of its \
             own as in `fhirlake views show patients`; and where there is a key, it is COLUMN of TYPE",
            path.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFINITION: &str =
        r#"{"resource":"Patient","select":[{"column":[{"name":"id","path":"id"}]}],"name":"men"}"#;
    const SQL: &str = "-- name: x\n-- description: y\n-- fhir: R4\n-- grain: SELECT 1\n-- columns:\n--   id STRING: z\nSELECT 1";

    fn folder(files: &[(&str, &str)]) -> Result<Folder> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Folder::read(folder.path())
    }

    #[test]
    fn a_view_has_the_name_of_its_definition_or_of_its_file() {
        let unnamed = DEFINITION.replace(r#","name":"men""#, "");
        let found =
            folder(&[("a.json", DEFINITION), ("b.json", &unnamed), ("x.sql", SQL), ("notes.txt", "")]);
        assert_eq!(found.unwrap().names().collect::<Vec<_>>(), ["b", "men", "x"]);
    }

    #[test]
    fn what_is_no_view_is_refused_with_its_file() {
        for (files, said) in [
            (&[("a.json", "{}")][..], "a.json: it is no ViewDefinition: missing field `resource`"),
            (&[("a.json", DEFINITION), ("men.json", DEFINITION)], "there are two views of the name men"),
            (&[("y.sql", SQL)], "y.sql: its header lacks something"),
        ] {
            let error = folder(files).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
