//! Checks the stream and the queue that invoke the webhook functions.

use serde_json::{Value, json};
use shared::webhooks::MAX_ATTEMPTS;
use template::stacks::{MAIN, MONITORING, Sources, Stacks};
use template::{assert_found, assert_none};

const DEAD: &str = "DeadDeliveries";

/// Returns the filter for orders of which a part, or the whole, reaches an outcome.
fn reaches_outcome(part: fn(Value) -> Value) -> Value {
    json!({
        "eventName": ["MODIFY"],
        "dynamodb": {
            "Keys": { "sk": { "S": [{ "prefix": "order#" }] } },
            "OldImage": part(json!({ "S": ["sending", "unknown"] })),
            "NewImage": part(json!({ "S": ["placed", "refused", "dead"] })),
        },
    })
}

fn wrong(stacks: &Stacks) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut hold = |holds: bool, line: &str| {
        if !holds {
            wrong.push(line.to_owned());
        }
    };
    let table = stacks.main.resource("AWS::DynamoDB::Table", "WalletsTable").properties;
    hold(
        table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES",
        "the table's stream lacks old or new images",
    );
    let publish = stacks.function("publish-events");
    let stream = publish.source().unwrap_or(&Value::Null);
    hold(stream["Stream"] == "WalletsTable.StreamArn", "publish-events reads another stream");
    let filters = json!([
        { "eventName": ["INSERT"], "dynamodb": { "Keys": { "sk": { "S": ["record"] } } } },
        { "dynamodb": { "Keys": { "sk": { "S": [{ "prefix": "credential#" }] } } } },
        reaches_outcome(|state| json!({ "state": state })),
        reaches_outcome(|state| json!({ "change": { "M": { "state": state } } })),
    ]);
    let patterns = stream["FilterCriteria"]["Filters"].as_array().into_iter().flatten();
    let patterns = patterns.map(|filter| filter["Pattern"].as_str().unwrap_or_default());
    let patterns: Vec<Value> =
        patterns.map(|text| serde_json::from_str(text).unwrap_or_default()).collect();
    hold(json!(patterns) == filters, "publish-events has other filters");
    let reports = json!(["ReportBatchItemFailures"]);
    hold(stream["FunctionResponseTypes"] == reports, "publish-events retries whole batches");
    hold(stream["BisectBatchOnFunctionError"] == true, "a bad record blocks its batch");
    let left = json!({ "Type": "SQS", "Destination": "JobsDeadLetters.Arn" });
    hold(
        stream["DestinationConfig"]["OnFailure"] == left,
        "events that cannot be published are lost",
    );
    let deliver = stacks.function("deliver-webhook");
    let source = deliver.source().unwrap_or(&Value::Null);
    hold(source["Queue"] == "Deliveries.Arn", "deliver-webhook reads another queue");
    hold(source["FunctionResponseTypes"] == reports, "deliver-webhook retries whole batches");
    hold(deliver.properties["VpcConfig"].is_null(), "deliver-webhook is in a private network");
    hold(deliver.variables()["WEBHOOK_TARGETS"] == "public", "webhooks may be sent to loopback");
    let queue = stacks.main.resource("AWS::SQS::Queue", "Deliveries").properties;
    let timeout = deliver.properties["Timeout"].as_u64().unwrap_or_default();
    hold(
        queue["VisibilityTimeout"].as_u64() == Some(6 * timeout),
        "a message becomes visible during its delivery",
    );
    let redrive = &queue["RedrivePolicy"];
    hold(
        redrive["maxReceiveCount"] == MAX_ATTEMPTS
            && redrive["deadLetterTargetArn"] == format!("{DEAD}.Arn"),
        "the redrive policy is wrong",
    );
    for name in ["Deliveries", DEAD] {
        let queue = stacks.main.resource("AWS::SQS::Queue", name).properties;
        hold(queue["SqsManagedSseEnabled"] == true, "a queue is not encrypted");
        // Long enough for ten attempts and for an investigation.
        hold(queue["MessageRetentionPeriod"] == 1_209_600, "the retention period is too short");
    }
    let alarms = stacks.monitoring.resources("AWS::CloudWatch::Alarm");
    let watched = alarms.iter().any(|alarm| {
        let of = &alarm.properties;
        of["MetricName"] == "ApproximateNumberOfMessagesVisible"
            && of["Dimensions"]
                == json!([{ "Name": "QueueName", "Value": format!("{DEAD}.QueueName") }])
    });
    hold(watched, "no alarm monitors dead letters");
    wrong
}

#[test]
fn webhook_stream_and_queue_match_the_code() {
    assert_none(&wrong(&Stacks::deployed()));
}

#[test]
fn webhook_settings_mismatch_is_found() {
    for (file, place, old, new, line) in [
        (
            MAIN,
            "  WalletsTable:",
            "NEW_AND_OLD_IMAGES",
            "NEW_IMAGE",
            "the table's stream lacks old or new images",
        ),
        (
            MAIN,
            "  PublishEventsFunction:",
            "[\"record\"]",
            "[\"share\"]",
            "publish-events has other filters",
        ),
        (
            MAIN,
            "  PublishEventsFunction:",
            "\"NewImage\":{\"state\":{\"S\":[\"placed\",\"refused\",\"dead\"]}}",
            "\"NewImage\":{\"state\":{\"S\":[\"placed\"]}}",
            "publish-events has other filters",
        ),
        (
            MAIN,
            "  DeliverWebhookFunction:",
            "WEBHOOK_TARGETS: public",
            "WEBHOOK_TARGETS: public-and-loopback",
            "webhooks may be sent to loopback",
        ),
        (
            MAIN,
            "  DeliverWebhookFunction:",
            "Timeout: 30",
            "Timeout: 60",
            "a message becomes visible during its delivery",
        ),
        (
            MAIN,
            "  Deliveries:",
            "maxReceiveCount: 10",
            "maxReceiveCount: 3",
            "the redrive policy is wrong",
        ),
        (
            MAIN,
            "  DeadDeliveries:",
            "SqsManagedSseEnabled: true",
            "SqsManagedSseEnabled: false",
            "a queue is not encrypted",
        ),
        (
            MONITORING,
            "  DeliveriesGivenUp:",
            "!Ref DeadDeliveries",
            "!Ref Service",
            "no alarm monitors dead letters",
        ),
    ] {
        let copy = Sources::read().with(file, place, old, new).deploy(&[]);
        assert_found(&wrong(&copy), line);
    }
}
