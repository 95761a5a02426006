//! The calls of STS, CloudFormation and CloudWatch.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Inner};

/// STS: each access key belongs to its own role.
pub(super) fn identity(by: &str, body: &[u8]) -> Answer {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
    assert_eq!(form.get("Version").map(String::as_str), Some("2011-06-15"));
    let said = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>arn:aws:sts::1:assumed-role/ops/{by}</Arn>\
         <UserId>{by}</UserId><Account>1</Account></GetCallerIdentityResult>\
         </GetCallerIdentityResponse>"
    );
    (format!("sts:{}", form["Action"]), String::new(), said.into_response())
}

impl Inner {
    pub(super) fn cloudformation(&self, head: &http::request::Parts, body: &[u8]) -> Answer {
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(body).into_owned().collect();
        let kind = head.headers["content-type"].to_str().unwrap();
        if !kind.starts_with("application/x-www-form-urlencoded")
            || form.get("Version").map(String::as_str) != Some("2010-05-15")
        {
            self.wrong.lock().unwrap().push(format!("CloudFormation: {form:?}"));
        }
        let (action, stack) = (&form["Action"], &form["StackName"]);
        let pairs = |name: &str, pairs: &[(&str, &str)]| -> String {
            let member = |(key, value): &(&str, &str)| {
                format!(
                    "<member><{name}Key>{key}</{name}Key><{name}Value>{value}</{name}Value></member>"
                )
            };
            format!("<{name}s>{}</{name}s>", pairs.iter().map(member).collect::<String>())
        };
        let inside = match (action.as_str(), stack.as_str()) {
            ("DescribeStacks", "prod") => {
                pairs(
                    "Output",
                    &[
                        ("ApiUrl", "https://abc.example/v1"),
                        ("WalletsTableName", hyperdex_local::WALLETS_TABLE),
                        ("UsagePlanId", "local"),
                        ("RenewApikeysFunctionName", "prod-renew-apikeys"),
                    ],
                ) + &pairs(
                    "Parameter",
                    &[("RenewWithinDays", "20"), ("HyperliquidWeightPerMinute", "500")],
                )
            }
            ("DescribeStacks", "cosigner") => {
                pairs("Output", &[("TableName", hyperdex_local::COSIGNER_TABLE)])
                    + &pairs("Parameter", &[("FunctionName", "prod-cosigner")])
            }
            _ => {
                let said = format!(
                    "<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id \
                     {stack} does not exist</Message></Error></ErrorResponse>"
                );
                let response = (StatusCode::BAD_REQUEST, said).into_response();
                return (format!("cloudformation:{action}"), stack.clone(), response);
            }
        };
        let said = format!(
            "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
             <DescribeStacksResult><Stacks><member><StackName>{stack}</StackName>{inside}</member>\
             </Stacks></DescribeStacksResult></DescribeStacksResponse>"
        );
        (format!("cloudformation:{action}"), stack.clone(), said.into_response())
    }

    pub(super) fn cloudwatch(&self, head: &http::request::Parts, body: &[u8]) -> Answer {
        let target = head.headers["x-amz-target"].to_str().unwrap();
        let name = target.strip_prefix("GraniteServiceVersion20100801.").unwrap();
        let asked: Value = serde_json::from_slice(body).unwrap();
        let action = format!("cloudwatch:{name}");
        if *self.denies.lock().unwrap() {
            let said = json!({ "__type": "AccessDenied", "message": "not authorized" });
            let response = (StatusCode::FORBIDDEN, said.to_string()).into_response();
            return (action, String::new(), response);
        }
        let (about, said) = match name {
            "GetMetricData" => self.metric_data(&asked),
            "DescribeAlarms" => {
                let prefix = asked["AlarmNamePrefix"].as_str().unwrap().to_owned();
                assert_eq!(asked["StateValue"], "ALARM");
                let alarms = match prefix.as_str() {
                    "prod-" => json!([{
                        "AlarmName": "prod-Monitoring-1-Drift-2",
                        "AlarmDescription": "Credentials differ. docs/guides/operations.md#drift",
                        "StateUpdatedTimestamp": 1_790_000_000.5,
                    }]),
                    _ => json!([]),
                };
                (prefix, json!({ "MetricAlarms": alarms }))
            }
            other => panic!("unexpected action {other}"),
        };
        (action, about, said.to_string().into_response())
    }

    /// Returns a distinct number for each series. The second page has the last series.
    fn metric_data(&self, asked: &Value) -> (String, Value) {
        let mut services = BTreeSet::new();
        let mut results = Vec::new();
        let (from, to) = (asked["StartTime"].as_u64().unwrap(), asked["EndTime"].as_u64().unwrap());
        assert!(to - from == 6 * 60 * 60 && asked["ScanBy"] == "TimestampAscending");
        let queries = asked["MetricDataQueries"].as_array().unwrap();
        for query in queries {
            let stat = &query["MetricStat"];
            let metric = &stat["Metric"];
            let dimensions = metric["Dimensions"].as_array().unwrap();
            assert!(["Sum", "Maximum", "p99"].contains(&stat["Stat"].as_str().unwrap()));
            assert_eq!(stat["Period"], 300);
            if metric["Namespace"] == "AWS/ApiGateway" {
                let known = ["Count", "Latency", "4XXError", "5XXError"];
                assert!(known.contains(&metric["MetricName"].as_str().unwrap()), "{metric}");
                assert_eq!((&dimensions[0]["Name"], dimensions.len()), (&json!("ApiName"), 1));
            } else {
                let known = platform::metrics::Metric::ALL
                    .iter()
                    .any(|known| metric["MetricName"] == known.name());
                assert!(known && metric["Namespace"] == "HyperDEXKeys");
                assert_eq!(dimensions[0]["Name"], "service");
                assert!(dimensions.len() == 1 || dimensions[1]["Name"] == "exchange");
            }
            services.insert(dimensions[0]["Value"].as_str().unwrap().to_owned());
            let value = if metric["MetricName"] == "CredentialDrift" { 3 } else { 1 };
            results.push(json!({
                "Id": query["Id"], "StatusCode": "Complete",
                "Timestamps": [from + 300, from + 600], "Values": [value, f64::from(value) / 2.0],
            }));
        }
        let about = services.into_iter().collect::<Vec<_>>().join(" ");
        let last = results.split_off(results.len() - 1);
        match asked["NextToken"].as_str() {
            None => (about, json!({ "MetricDataResults": results, "NextToken": "more" })),
            Some(token) => {
                assert_eq!(token, "more");
                (about, json!({ "MetricDataResults": last }))
            }
        }
    }
}
