//! Checks the jobs, which are functions that a schedule invokes. A run that fails or never starts
//! goes to a queue that an alarm monitors.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use template::cloudformation::{ACCOUNT, REGION, STACK};
use template::stacks::{Function, MAIN, MONITORING, Sources, Stacks};
use template::{assert_found, assert_none, differences, folders, package, read};

const QUEUE: &str = "JobsDeadLetters.Arn";

/// Returns the time that a run may need after it stops taking new work: that of one operation.
fn grace(package: &str) -> Duration {
    match package {
        "resolve-orders-aster" | "resolve-orders-hyperliquid" | "resolve-orders-lighter" => {
            Duration::from_secs(20)
        }
        _ => Duration::from_secs(60),
    }
}

/// Returns how long a job takes new work.
fn run_time(package: &str) -> Duration {
    match package {
        "renew-apikeys" => renew_apikeys::RUN_TIME,
        "reconcile-apikeys" => reconcile_apikeys::RUN_TIME,
        "refresh-shares" => refresh_shares::RUN_TIME,
        "resolve-orders-aster" => resolve_orders_aster::RUN_TIME,
        "resolve-orders-hyperliquid" => resolve_orders_hyperliquid::RUN_TIME,
        "resolve-orders-lighter" => resolve_orders_lighter::RUN_TIME,
        "seal-audit" => seal_audit::RUN_TIME,
        other => panic!("add the run time of functions/{other} to this file"),
    }
}

/// Returns the seconds between two runs of a schedule such as `rate(15 minutes)`.
fn interval(schedule: &str) -> Option<u64> {
    let rate = schedule.strip_prefix("rate(")?.strip_suffix(')')?;
    let (number, unit) = rate.split_once(' ')?;
    let seconds = match unit.trim_end_matches('s') {
        "minute" => 60,
        "hour" => 60 * 60,
        "day" => 24 * 60 * 60,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? * seconds)
}

fn rule(package: &str) -> String {
    format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{STACK}-{package}")
}

fn wrong(stacks: &Stacks) -> Vec<String> {
    let functions = stacks.functions();
    let jobs: Vec<&Function> =
        functions.iter().filter(|function| function.schedule().is_some()).collect();
    let scheduled = jobs.iter().map(|job| job.package.clone()).collect();
    let run_by_main = folders().into_iter().filter(|folder| {
        read(&format!("functions/{folder}/src/main.rs")).contains("::job_from_env")
    });
    let run_by_main: BTreeSet<String> = run_by_main.map(|folder| package(&folder)).collect();
    let mut wrong =
        differences("the job", ("the template", &scheduled), ("the code", &run_by_main));
    for job in &jobs {
        wrong.extend(wrong_job(job));
    }
    let policies = stacks.main.resources("AWS::SQS::QueuePolicy");
    let statements =
        policies.iter().map(|policy| &policy.properties["PolicyDocument"]["Statement"]);
    let rules: Vec<String> =
        jobs.iter().filter(|job| !job.in_cosigner_stack).map(|job| rule(&job.package)).collect();
    let admitted = json!([{
        "Sid": "Schedules",
        "Effect": "Allow",
        "Principal": { "Service": "events.amazonaws.com" },
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
        "Condition": { "ArnEquals": { "aws:SourceArn": rules } },
    }]);
    if statements.collect::<Vec<_>>() != [&admitted] {
        wrong.push("the queue must admit the schedules and nothing else".to_owned());
    }
    let queue = stacks.main.resource("AWS::SQS::Queue", "JobsDeadLetters").properties;
    if queue["SqsManagedSseEnabled"] != true {
        wrong.push("the queue is not encrypted".to_owned());
    }
    let alarms = stacks.monitoring.resources("AWS::CloudWatch::Alarm");
    let watched = alarms.iter().any(|alarm| {
        let of = &alarm.properties;
        of["MetricName"] == "ApproximateNumberOfMessagesVisible"
            && of["Dimensions"]
                == json!([{ "Name": "QueueName", "Value": "JobsDeadLetters.QueueName" }])
    });
    if !watched {
        wrong.push(format!("{MONITORING}: no alarm watches the queue"));
    }
    wrong
}

fn wrong_job(job: &Function) -> Vec<String> {
    let package = &job.package;
    let mut wrong = Vec::new();
    let events = job.properties["Events"].as_object().unwrap();
    let schedule = job.schedule().unwrap_or(&Value::Null);
    if events.len() != 1 {
        wrong.push(format!("{package}: a job must have its schedule as the only event"));
    }
    if schedule["Name"] != job.full_name() {
        wrong.push(format!("{package}: its schedule has another name"));
    }
    // The cosigner's job has an alarm instead, because it may be in another account than the queue.
    if schedule["DeadLetterConfig"]["Arn"] != QUEUE && !job.in_cosigner_stack {
        wrong.push(format!("{package}: runs that never start are lost"));
    }
    let invoke = &job.properties["EventInvokeConfig"];
    if invoke["DestinationConfig"]["OnFailure"] != json!({ "Type": "SQS", "Destination": QUEUE })
        && !job.in_cosigner_stack
    {
        wrong.push(format!("{package}: failed runs are lost"));
    }
    // By default Lambda would retry it for six hours, in addition to the schedule.
    let age = invoke["MaximumEventAgeInSeconds"].as_u64();
    if age.is_none_or(|age| age > 900) || invoke["MaximumRetryAttempts"] != 1 {
        wrong.push(format!("{package}: failed runs are retried for too long"));
    }
    let timeout = job.properties["Timeout"].as_u64().unwrap_or_default();
    let expected = (run_time(package) + grace(package)).as_secs();
    if timeout != expected {
        wrong.push(format!("{package}: Timeout is {timeout}, not {expected}"));
    }
    let between = schedule["Schedule"].as_str().and_then(interval);
    if between.is_none_or(|between| between < timeout) {
        wrong.push(format!("{package}: its runs overlap"));
    }
    wrong
}

#[test]
fn failed_job_raises_an_alarm() {
    assert_none(&wrong(&Stacks::deployed()));
    assert_eq!(
        ["rate(15 minutes)", "rate(1 hour)", "cron(0 * * * ? *)"].map(interval),
        [Some(900), Some(3_600), None]
    );
}

#[test]
fn job_without_an_alarm_is_found() {
    let place = "  RenewApikeysFunction:";
    for (file, place, old, new, line) in [
        (
            MAIN,
            place,
            "Type: Schedule\n",
            "Type: ScheduleV2\n",
            "the job renew-apikeys is in the code, not in the template",
        ),
        (MAIN, place, "Timeout: 300", "Timeout: 250", "renew-apikeys: Timeout is 250, not 300"),
        (
            MAIN,
            place,
            "Arn: !GetAtt JobsDeadLetters.Arn",
            "Arn: !GetAtt AccessLogs.Arn",
            "renew-apikeys: runs that never start are lost",
        ),
        (
            MAIN,
            place,
            "Destination: !GetAtt JobsDeadLetters.Arn",
            "Destination: !GetAtt AccessLogs.Arn",
            "renew-apikeys: failed runs are lost",
        ),
        (
            MAIN,
            place,
            "MaximumRetryAttempts: 1",
            "MaximumRetryAttempts: 2",
            "renew-apikeys: failed runs are retried for too long",
        ),
        (MAIN, "  RenewSchedule:", "15 minutes", "4 minutes", "renew-apikeys: its runs overlap"),
        (
            MAIN,
            "  ResolveOrdersAsterFunction:",
            "rate(1 minute)",
            "cron(* * * * ? *)",
            "resolve-orders-aster: its runs overlap",
        ),
        (
            MAIN,
            "  JobsDeadLettersPolicy:",
            "-renew-apikeys",
            "-renew",
            "the queue must admit the schedules and nothing else",
        ),
        (
            MAIN,
            "  JobsDeadLetters:",
            "SqsManagedSseEnabled: true",
            "SqsManagedSseEnabled: false",
            "the queue is not encrypted",
        ),
        (
            MONITORING,
            "  FailedRuns:",
            "!Ref JobsDeadLetters",
            "!Ref Service",
            "infra/monitoring.yaml: no alarm watches the queue",
        ),
    ] {
        let copy = Sources::read().with(file, place, old, new).deploy(&[]);
        assert_found(&wrong(&copy), line);
    }
}
