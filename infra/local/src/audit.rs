//! `hyperdex audit verify`: the chains of the cosigner's audit log.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::error::DisplayErrorContext;
use cosigner::audit::verify::{Report, Verifier};
use shared::aws::Aws;
use tokio::net::TcpListener;

use crate::serve::{Stop, url};
use crate::{StartError, dynamodb};

/// Where the log is.
#[derive(Clone, Debug)]
pub enum Source {
    /// An export of the table, one item in each line.
    Export(PathBuf),
    /// A DynamoDB that answers, such as the running local stack's.
    Endpoint(String),
    /// The data directory of a local stack that does not run.
    Data(PathBuf),
}

/// Verifies every chain, says what it finds, and returns whether nothing is wrong.
///
/// # Errors
/// When the log cannot be read.
pub async fn verify(source: &Source, table: &str, say: impl Fn(&str)) -> Result<bool, StartError> {
    let report = match source {
        Source::Export(file) => exported(file)?,
        Source::Endpoint(endpoint) => live(endpoint, table).await?,
        Source::Data(directory) => stored(directory, table).await?,
    };
    for (partition, fault) in &report.faults {
        say(&format!("{partition}: {fault}"));
    }
    say(&format!(
        "{} records in {} chains, {} faults",
        report.records,
        report.chains,
        report.faults.len()
    ));
    Ok(report.faults.is_empty())
}

fn exported(file: &Path) -> Result<Report, StartError> {
    let broken = |error: std::io::Error| StartError::Data {
        path: file.to_owned(),
        cause: error.to_string(),
    };
    let mut verifier = Verifier::default();
    for line in BufReader::new(std::fs::File::open(file).map_err(broken)?).lines() {
        let line = line.map_err(broken)?;
        if !line.trim().is_empty() {
            verifier.line(&line);
        }
    }
    Ok(verifier.finish())
}

async fn stored(directory: &Path, table: &str) -> Result<Report, StartError> {
    let _lock = crate::stack::prepare(directory)?;
    let database = dynamodb::open(&directory.join("dynamodb.sqlite"))?;
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| failed(&error))?;
    let endpoint = url(&listener)?;
    let (sender, stop) = Stop::new();
    let server = dynamodb::serve(listener, database, stop);
    let report = live(&endpoint, table).await;
    let _ = sender.send(true);
    let _ = server.await;
    report
}

async fn live(endpoint: &str, table: &str) -> Result<Report, StartError> {
    let client = Aws::local(endpoint, endpoint, endpoint).dynamodb();
    let mut verifier = Verifier::default();
    let mut from = None;
    loop {
        let page = client
            .scan()
            .table_name(table)
            .consistent_read(true)
            .set_exclusive_start_key(from)
            .send()
            .await
            .map_err(|error| failed(&DisplayErrorContext(error)))?;
        for item in page.items.unwrap_or_default() {
            verifier.item(item);
        }
        match page.last_evaluated_key {
            Some(next) => from = Some(next),
            None => return Ok(verifier.finish()),
        }
    }
}

fn failed(cause: &dyn std::fmt::Display) -> StartError {
    StartError::Part { what: "the audit log", cause: cause.to_string() }
}
