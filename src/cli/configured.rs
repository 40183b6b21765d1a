//! The command line with the defaults that `fhirlake.toml` gives it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{ArgAction, Command, CommandFactory, FromArgMatches};

use super::Arguments;
use crate::config::Config;
use crate::error::{Error, Result};

/// Reads the file and the command line; a command line that cannot be read ends the program.
pub fn parse() -> Result<(Arguments, Config)> {
    let config = Config::load(config_file(std::env::args_os()).as_deref())?;
    let command = Arguments::command();
    let known = flags(&command);
    if let Some(unknown) = config.flags.keys().find(|name| !known.contains(*name)) {
        return Err(Error::Refused(format!(
            "{}: there is no flag --{unknown} and no section [{unknown}]",
            crate::config::FILE
        )));
    }
    let given = |name: &str| is_given(name, std::env::args_os());
    let flags = without_contradictions(&config.flags, given);
    let flagged = |name: &str| is_on_command_line(name, std::env::args_os());
    let command = without_variables(command, &outdone(flagged));
    let matches = with_defaults(command, &flags).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok((arguments, config))
}

/// The file that is named: it has to be read before the command line is.
fn config_file(arguments: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let mut arguments = arguments.skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--config") => return arguments.next().map(PathBuf::from),
            Some("--") => break,
            Some(text) => {
                if let Some(file) = text.strip_prefix("--config=") {
                    return Some(file.into());
                }
            }
            None => {}
        }
    }
    std::env::var_os("FHIRLAKE_CONFIG").map(PathBuf::from)
}

/// The long names of all flags.
fn flags(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned));
    own.chain(command.get_subcommands().flat_map(flags)).collect()
}

/// Flags of which one takes the place of the others.
const ALTERNATIVES: [&[&str]; 2] =
    [&["bearer-token", "bearer-token-file", "basic", "key", "client-secret-file"], &["since", "full"]];

/// What the file says, without what the command line or the environment has said otherwise.
fn without_contradictions(
    values: &BTreeMap<String, Vec<String>>,
    given: impl Fn(&str) -> bool,
) -> BTreeMap<String, Vec<String>> {
    let said_otherwise = |name: &str| {
        ALTERNATIVES
            .iter()
            .any(|names| names.contains(&name) && names.iter().any(|other| *other != name && given(other)))
    };
    values
        .iter()
        .filter(|(name, _)| !said_otherwise(name))
        .map(|(name, all)| (name.clone(), all.clone()))
        .collect()
}

/// The flags whose variables do not count, because another that takes their place stands on the command line.
fn outdone(flagged: impl Fn(&str) -> bool) -> BTreeSet<&'static str> {
    let decided = ALTERNATIVES.iter().filter(|names| names.iter().any(|name| flagged(name)));
    decided.flat_map(|names| names.iter().copied()).filter(|name| !flagged(name)).collect()
}

/// The same command, which looks for no value of these flags in the environment.
fn without_variables(command: Command, names: &BTreeSet<&str>) -> Command {
    let command = command.mut_args(|argument| match argument.get_long() {
        Some(name) if names.contains(name) => argument.env(Resettable::Reset),
        _ => argument,
    });
    command.mut_subcommands(|subcommand| without_variables(subcommand, names))
}

/// Whether a flag stands on the command line or in the environment.
fn is_given(name: &str, arguments: impl Iterator<Item = OsString>) -> bool {
    let variable = format!("FHIRLAKE_{}", name.to_ascii_uppercase().replace('-', "_"));
    std::env::var_os(variable).is_some() || is_on_command_line(name, arguments)
}

/// The first of these flags that stands on the command line: what the environment and the file say is for all commands.
pub fn first_flagged<'f>(names: &[&'f str]) -> Option<&'f str> {
    names.iter().copied().find(|name| is_on_command_line(name, std::env::args_os()))
}

/// Whether a flag stands on the command line.
fn is_on_command_line(name: &str, arguments: impl Iterator<Item = OsString>) -> bool {
    let (flag, with_value) = (format!("--{name}"), format!("--{name}="));
    let mut arguments = arguments.skip(1).take_while(|argument| argument != "--");
    arguments
        .any(|argument| argument.to_str().is_some_and(|text| text == flag || text.starts_with(&with_value)))
}

/// The same command whose flags have these values where neither the command line nor the environment has one.
fn with_defaults(command: Command, values: &BTreeMap<String, Vec<String>>) -> Command {
    let command = command.mut_args(|argument| {
        let Some(values) = argument.get_long().and_then(|name| values.get(name)) else { return argument };
        // A flag may know other values in another command.
        let known = argument.get_possible_values();
        let knows = |value: &String| known.is_empty() || known.iter().any(|known| known.matches(value, true));
        let takes_values = argument.get_action().takes_values();
        if takes_values && !values.iter().all(knows) {
            return argument;
        }
        let several = matches!(argument.get_action(), ArgAction::Append);
        let argument = argument.required(false);
        if several {
            argument.default_values(values.clone())
        } else {
            argument.default_value(values.join(","))
        }
    });
    // A demo's lake is replaced by the next one: it is never the lake that is configured.
    command.mut_subcommands(|subcommand| match subcommand.get_name() {
        "demo" => subcommand,
        _ => with_defaults(subcommand, values),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(arguments: &[&str]) -> Option<PathBuf> {
        config_file(arguments.iter().map(OsString::from))
    }

    #[test]
    fn the_file_is_found_wherever_it_is_named() {
        assert_eq!(file_of(&["fhirlake", "status", "--config", "a.toml"]), Some("a.toml".into()));
        assert_eq!(file_of(&["fhirlake", "--config=b.toml", "status"]), Some("b.toml".into()));
        assert_eq!(file_of(&["fhirlake", "query", "--", "--config", "c.toml"]), None);
    }

    #[test]
    fn a_flag_outdoes_the_variables_of_those_whose_place_it_takes() {
        let command = Command::new("fhirlake").subcommand(
            Command::new("check")
                .arg(clap::Arg::new("who").long("basic").group("one"))
                // A variable that every process has.
                .arg(clap::Arg::new("path").long("bearer-token").env("PATH").group("one"))
                .group(clap::ArgGroup::new("one").multiple(false)),
        );
        let parse = |flagged: &[&str], arguments: &[&str]| {
            let names = outdone(|name| flagged.contains(&name));
            without_variables(command.clone(), &names).try_get_matches_from(arguments)
        };
        let arguments = ["fhirlake", "check", "--basic", "me:file"];
        assert!(parse(&[], &arguments).is_err(), "they contradict each other");
        let matches = parse(&["basic"], &arguments).unwrap();
        let (_, check) = matches.subcommand().unwrap();
        assert!(check.contains_id("who") && !check.contains_id("path"));
        assert!(parse(&["basic", "bearer-token"], &arguments).is_err(), "two flags do not outdo each other");
    }

    #[test]
    fn the_file_gives_way_to_flags() {
        let values = BTreeMap::from([
            ("lake".to_owned(), vec!["/file".to_owned()]),
            ("type".to_owned(), vec!["A".to_owned(), "B".to_owned()]),
        ]);
        let parse = |arguments: &[&str]| {
            let matches =
                with_defaults(Arguments::command(), &values).try_get_matches_from(arguments).unwrap();
            let (_, export) = matches.subcommand().unwrap();
            let types: Vec<String> = export.get_many::<String>("types").unwrap().cloned().collect();
            (export.get_one::<String>("lake").cloned().unwrap(), types)
        };
        let server = ["fhirlake", "export", "--server", "http://h"];
        assert_eq!(parse(&server), ("/file".to_owned(), vec!["A".to_owned(), "B".to_owned()]));
        let with_flags = [&server[..], &["--lake", "/flag", "--type", "C"]].concat();
        assert_eq!(parse(&with_flags), ("/flag".to_owned(), vec!["C".to_owned()]));
    }

    #[test]
    fn what_is_said_otherwise_makes_way_and_what_a_command_does_not_know_is_not_its_default() {
        let one = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
        let values = BTreeMap::from([
            one("bearer-token-file", "token"),
            one("client-id", "c"),
            one("since", "2026-01-01T00:00:00Z"),
            one("format", "csv"),
            one("raw", "reference"),
            one("group", "g"),
            one("type-filter", "Observation?code=1,2"),
        ]);
        let left = without_contradictions(&values, |name| matches!(name, "key" | "full"));
        assert_eq!(left.keys().collect::<Vec<_>>(), ["client-id", "format", "group", "raw", "type-filter"]);
        let arguments = [
            "fhirlake", "export", "--server", "http://h", "--lake", "l", "--key", "k", "--level", "group",
            "--full",
        ];
        let matches = with_defaults(Arguments::command(), &left).try_get_matches_from(arguments).unwrap();
        let (_, export) = matches.subcommand().unwrap();
        let filters: Vec<String> = export.get_many::<String>("type_filters").unwrap().cloned().collect();
        assert_eq!(filters, ["Observation?code=1,2"]);
        assert_eq!(export.get_one::<String>("client_id").unwrap(), "c");
    }
}
