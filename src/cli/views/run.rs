//! `fhirlake views run`: one ViewDefinition, or a folder of views, each into a file of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::builder::FalseyValueParser;
use clap::{Arg, Args};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::DataFrame;
use fhir_definitions::{Definitions, FhirVersion};
use fhir_sql::ViewDefinition;
use futures::future::join_all;

use crate::cli::answer::{AnswerOptions, to_file};
use crate::cli::options::{ValueSetOption, VersionOption};
use crate::cli::{Done, print};
use crate::error::Error;
use crate::lake::Lake;
use crate::query::files::FilesSession;
use crate::query::session::execute;
use crate::query::{Format, Pin, Session, SessionOptions, Written, definition, ndjson, shared};
use crate::raw::local::LocalFile;
use crate::views::{self, Folder, FolderView};

/// What is behind the help of the command.
pub const EXAMPLES: &str = "\
Examples:
  fhirlake views run blood-pressure.json --lake lake
  fhirlake views run blood-pressure.json --lake lake --format ndjson
  fhirlake views run blood-pressure.json --ndjson export/ --format csv -o blood-pressure.csv
  fhirlake views run my-views/ --lake lake --format parquet -o answers/
  fhirlake views run my-views/ --lake lake --value-set diabetes.json --format csv -o answers/

A ViewDefinition is that of SQL on FHIR (https://sql-on-fhir.org). A folder may have views in SQL beside them (sql/README.md);
each view becomes a file NAME.csv, .json, .ndjson, .parquet or .arrows (Arrow's IPC stream). `fhirlake query --views FOLDER`
selects from several.";

/// What `-o` is here.
pub fn output_help(output: Arg) -> Arg {
    output
        .value_name("PATH")
        .help("The file that the answer goes to, or the folder of them [default: stdout]")
}

/// What is run, and over what.
#[derive(Debug, Args)]
pub struct Run {
    /// A ViewDefinition, a file of JSON; or a folder of ViewDefinitions (.json) and SQL views (.sql)
    path: PathBuf,
    /// The lake's folder
    #[arg(long, value_name = "FOLDER", env = "FHIRLAKE_LAKE", required_unless_present = "ndjson")]
    lake: Option<String>,
    /// A folder of NDJSON, or one file of it, that is read instead of a lake (.ndjson, .ndjson.gz, .ndjson.zst)
    #[arg(long, value_name = "PATH", env = "FHIRLAKE_NDJSON")]
    ndjson: Option<PathBuf>,
    #[command(flatten)]
    version: VersionOption,
    #[command(flatten)]
    value_sets: ValueSetOption,
    #[command(flatten)]
    answer: AnswerOptions,
    /// The newest version of every table, also where the run that made it is not finished
    #[arg(long, env = "FHIRLAKE_LATEST", value_parser = FalseyValueParser::new())]
    latest: bool,
}

impl Run {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        if self.path.is_dir() {
            return self.folder().await;
        }
        let view = views::definition::read(&self.path)?;
        let answer = match &self.ndjson {
            Some(path) => {
                definition::run_over_files(&view, self.definitions(), &ndjson::files(path)?).await?
            }
            None => self.session(Folder::default()).await?.run_view(&view).await?,
        };
        self.answer.write(answer).await?;
        Ok(Done::Clean)
    }

    fn definitions(&self) -> &'static Definitions {
        Definitions::of(self.version.fhir_version.unwrap_or(FhirVersion::R4))
    }

    async fn session(&self, views: Folder) -> anyhow::Result<Session> {
        let Some(lake) = &self.lake else {
            return Err(Error::Refused("say --lake or --ndjson".to_owned()).into());
        };
        let lake = Lake::open(lake).await?;
        let holds = lake.definitions().version();
        if let Some(version) = self.version.fhir_version.filter(|version| *version != holds) {
            return Err(Error::Refused(format!("the lake holds FHIR {holds}, and not {version}")).into());
        }
        let pin = if self.latest { Pin::Latest } else { Pin::LastRun };
        Ok(Session::open_with(
            &lake,
            SessionOptions { views, value_sets: self.value_sets.read()?, ..SessionOptions::at(pin) },
        )
        .await?)
    }

    async fn folder(self) -> anyhow::Result<Done> {
        let views = Folder::read(&self.path)?;
        let names: Vec<String> = views.names().map(str::to_owned).collect();
        let to = self.output(&names)?;
        let written = match &self.ndjson {
            Some(path) => self.over_files(Arc::new(views), ndjson::files(path)?, &to).await?,
            None => {
                let session = self.session(views).await?;
                let mut planned = Vec::new();
                for name in &names {
                    planned.push((name.clone(), session.select(name).await.map_err(|e| in_view(name, e))?));
                }
                to.create()?;
                one_by_one(planned, &to).await
            }
        };
        report(written, names.len())
    }

    /// Where the files go, and in which form.
    fn output(&self, names: &[String]) -> anyhow::Result<Output> {
        let path = self.path.display();
        if names.is_empty() {
            return Err(Error::Refused(format!("{path} has no views: neither files *.json nor *.sql")).into());
        }
        let Some(folder) = self.answer.output() else {
            let reason = format!(
                "{path} is a folder of views ({}), whose rows do not go into one stream: say -o FOLDER for a file of each, or \
                 name one file",
                names.join(", ")
            );
            return Err(Error::Refused(reason).into());
        };
        let format = self.answer.format();
        let Some(extension) = format.extension() else {
            let reason = "files of views are for programs: say --format csv, json, ndjson, parquet or arrow";
            return Err(Error::Refused(reason.to_owned()).into());
        };
        // A view's answer as JSON would have the name of its ViewDefinition.
        let real = |path: &Path| path.canonicalize().ok();
        if real(folder).is_some_and(|folder| Some(folder) == real(&self.path)) {
            let reason = format!(
                "{path} has the views: say another folder with -o, so that no file of theirs is written over"
            );
            return Err(Error::Refused(reason).into());
        }
        Ok(Output { folder: folder.to_owned(), format, extension })
    }

    /// ViewDefinitions of one resource type read the files together, SQL views each by itself.
    async fn over_files(
        &self,
        views: Arc<Folder>,
        files: Vec<LocalFile>,
        to: &Output,
    ) -> anyhow::Result<Vec<Answered>> {
        let definitions = self.definitions();
        let session = FilesSession::open(
            files.clone().into(),
            definitions,
            Arc::clone(&views),
            self.value_sets.read()?,
        )?;
        let mut of_types: BTreeMap<&str, Vec<(&str, &ViewDefinition)>> = BTreeMap::new();
        let mut of_sql = Vec::new();
        for name in views.names() {
            // All of them, so that what is wrong with one is said before anything is written.
            let planned = session.select(name).await.map_err(|e| in_view(name, e))?;
            match views.find(name) {
                Some(FolderView::Definition(view)) => {
                    of_types.entry(&view.resource).or_default().push((name, view));
                }
                _ => of_sql.push((name.to_owned(), planned)),
            }
        }
        to.create()?;
        let mut written = Vec::new();
        for views in of_types.values() {
            let answers = shared::run_over_files(views, definitions, &files).await?;
            let writing = views.iter().zip(answers).map(|((name, _), answer)| to.write(name, answer));
            written.extend(join_all(writing).await);
        }
        written.extend(one_by_one(of_sql, to).await);
        Ok(written)
    }
}

/// An error of a view, with its name unless that is said already.
fn in_view(name: &str, error: Error) -> anyhow::Error {
    let said = error.to_string().contains(&format!("the view {name}:"));
    if said { error.into() } else { anyhow::Error::new(error).context(format!("the view {name}")) }
}

/// A folder of answers.
struct Output {
    folder: PathBuf,
    format: Format,
    extension: &'static str,
}

/// A view, and what became of it.
struct Answered {
    name: String,
    path: PathBuf,
    written: anyhow::Result<Written>,
}

impl Output {
    fn create(&self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make {}", self.folder.display()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{}", self.extension))
    }

    /// Writes in a task of its own, so that answers that share their files are made side by side.
    async fn write(&self, name: &str, answer: SendableRecordBatchStream) -> Answered {
        let path = self.path(name);
        let (format, to) = (self.format, path.clone());
        let written = tokio::spawn(async move { to_file(&to, format, answer).await }).await;
        let written = written.unwrap_or_else(|error| Err(error.into()));
        if written.is_err() {
            // Not that of an earlier run either: it would be taken for this one's.
            std::fs::remove_file(&path).ok();
        }
        Answered { name: name.to_owned(), path, written }
    }
}

async fn one_by_one(planned: Vec<(String, DataFrame)>, to: &Output) -> Vec<Answered> {
    let mut written = Vec::new();
    for (name, frame) in planned {
        written.push(match execute(frame).await {
            Ok(answer) => to.write(&name, answer).await,
            Err(error) => {
                let path = to.path(&name);
                std::fs::remove_file(&path).ok();
                Answered { name, path, written: Err(error.into()) }
            }
        });
    }
    written
}

/// Tells how many rows each view has. One that failed has no file, and the others have theirs.
fn report(mut answered: Vec<Answered>, views: usize) -> anyhow::Result<Done> {
    answered.sort_by(|a, b| a.name.cmp(&b.name));
    let mut failed = Vec::new();
    let mut rows = Vec::new();
    for Answered { name, path, written } in answered {
        match written {
            Ok(written) => rows.push(vec![name, written.rows.to_string(), shown(&path)]),
            Err(error) => {
                rows.push(vec![name.clone(), "-".to_owned(), "-".to_owned()]);
                failed.push(error.context(format!("the view {name}")));
            }
        }
    }
    print::note(&print::table(&["view", "rows", "file"], &rows));
    let count = failed.len();
    let mut failed = failed.into_iter();
    match (failed.next(), count) {
        (None, _) => Ok(Done::Clean),
        (Some(error), 1) => Err(error),
        (Some(error), _) => {
            print::error(&error);
            failed.for_each(|error| print::error(&error));
            Err(Error::QueryFailed(format!("{count} of {views} views have no answer")).into())
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
