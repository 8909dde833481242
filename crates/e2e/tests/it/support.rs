//! Starts programs and sources, and makes what they print comparable.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code.
    pub(crate) code: i32,
    /// Data.
    pub(crate) stdout: String,
    /// Everything else, log lines included.
    pub(crate) stderr: String,
}

impl std::fmt::Display for Ran {
    /// Shows what a person sees; log lines (JSON) are left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "exit {}", self.code)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('{')).map(str::trim_end).collect();
            if !lines.is_empty() {
                writeln!(f, "--- {name}\n{}", lines.join("\n"))?;
            }
        }
        Ok(())
    }
}

/// Variables of the programs; nothing of the test's own environment reaches them but what a process needs to live.
pub(crate) type Variables = BTreeMap<String, String>;

/// Runs a program to its end.
pub(crate) fn run(arguments: &[&str], variables: &Variables) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_all-clis"));
    command.args(arguments).env_clear().envs(variables).current_dir(root()).stdin(Stdio::null());
    for name in ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"] {
        if let Ok(value) = std::env::var(name) {
            command.env(name, value);
        }
    }
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Starts the local sources of the small slice, once per test run, and returns the variables that lead to them.
pub(crate) fn sources() -> Variables {
    static SOURCES: OnceLock<Variables> = OnceLock::new();
    let start = || {
        let script = r#"
            source ci/lib/home.sh
            case "$(basename "$SLUICE_HOME")" in small) ;; *) use_home small ;; esac
            make_token_key
            ci/sources/up --profile small >&2
            ci/pipeline-env
            echo "export HOME_OF_SOURCES=$SLUICE_HOME""#;
        let output = Command::new("bash").args(["-euo", "pipefail", "-c", script]).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "the sources do not start:\n{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        lines.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect()
    };
    let mut variables: Variables = SOURCES.get_or_init(start).clone();
    variables.remove("LAKE_URI");
    variables
}

/// A field of the sources' `endpoints.json`.
pub(crate) fn endpoint(sources: &Variables, pointer: &str) -> String {
    let text = std::fs::read_to_string(Path::new(&sources["HOME_OF_SOURCES"]).join("sources/endpoints.json")).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let value = document.pointer(pointer).unwrap_or_else(|| panic!("endpoints.json has no {pointer}"));
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Variables of a lake and nothing else: for tests that need no server.
pub(crate) fn lake(directory: &Path) -> Variables {
    BTreeMap::from([
        ("LAKE_URI".into(), directory.join("lake").display().to_string()),
        ("LAKE_SECRETS".into(), format!("file:{}", directory.join("secrets").display())),
    ])
}

/// The variables with some changed.
pub(crate) fn with(mut variables: Variables, changed: &[(&str, String)]) -> Variables {
    variables.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    variables
}

/// A copy of the contracts in which one text of one file is replaced.
pub(crate) fn contracts_with(directory: &Path, file: &str, from: &str, to: &str) -> String {
    let target = directory.join("contracts");
    let copied = Command::new("cp").arg("-r").arg(root().join("contracts")).arg(&target).status().unwrap();
    assert!(copied.success());
    let path = target.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(from.is_empty() || text.contains(from), "{file} does not hold `{from}`");
    let changed = if from.is_empty() { to.to_owned() } else { text.replacen(from, to, 1) };
    std::fs::write(&path, changed).unwrap();
    target.display().to_string()
}

/// Compares with the pinned text: paths, ports, ids and times are the same everywhere.
pub(crate) fn pinned(name: &str, ran: &Ran, directory: &Path) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(&regex_escape(&directory.display().to_string()), "[dir]");
    settings.add_filter(&regex_escape(&root().display().to_string()), "[repo]");
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[port]");
    settings.add_filter(r"\d+(\.\d+)? ?ms", "[ms]");
    settings.add_filter(r"\(\d+\.\d+ s\)|\d+\.\d+ s$", "[s]");
    settings.add_filter(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[id]");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, ran.to_string()));
}

fn regex_escape(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '/' { c.to_string() } else { format!("\\{c}") }).collect()
}
