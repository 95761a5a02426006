//! Finds the parts of a deployment, from its CloudFormation stacks or the command line.

use std::collections::HashMap;

use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use domain::ids::PerExchange;
use shared::exchanges::budget::BudgetConfig;
use shared::exchanges::profile::Profile;

use super::ConsoleOptions;
use super::aws::Account;
use crate::defaults::{REFRESH_EVERY_MS, RENEW_WITHIN_MS};
use crate::error::ConsoleError;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A deployment of one stack, or of two when the cosigner is in another account.
#[derive(Debug)]
pub(super) struct Deployment {
    /// Name of the deployment on the page.
    pub(super) name: String,
    /// Value of the service's metric dimension.
    pub(super) service: Option<String>,
    /// Value of the cosigner's metric dimension.
    pub(super) cosigner: Option<String>,
    pub(super) wallets_table: String,
    pub(super) cosigner_table: Option<String>,
    pub(super) api: Option<String>,
    /// The usage plan that opens the API.
    pub(super) usage_plan: Option<String>,
    /// The name of the renewal job's function.
    pub(super) renewal: Option<String>,
    pub(super) budget: BudgetConfig,
    pub(super) renew_within_ms: u64,
    pub(super) refresh_every_ms: u64,
}

/// Outputs and parameters of a stack.
#[derive(Default, Debug)]
struct Said {
    outputs: HashMap<String, String>,
    parameters: HashMap<String, String>,
}

impl Said {
    fn number(&self, parameter: &str, otherwise: u64) -> u64 {
        let text = self.parameters.get(parameter);
        text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }
}

/// Reads outputs and parameters, and skips everything else.
fn read(scope: &mut ScopedDecoder<'_, '_>, said: &mut Said) -> Result<(), XmlDecodeError> {
    let mut texts = HashMap::new();
    while let Some(mut tag) = scope.next_tag() {
        let name = tag.start_el().local().to_owned();
        match name.as_str() {
            "DescribeStacksResult" | "Stacks" | "member" | "Outputs" | "Parameters" => {
                read(&mut tag, said)?;
            }
            "OutputKey" | "OutputValue" | "ParameterKey" | "ParameterValue" => {
                texts.insert(name, try_data(&mut tag)?.into_owned());
            }
            _ => {}
        }
    }
    let mut pair = |key: &str, value: &str| texts.remove(key).zip(texts.remove(value));
    said.outputs.extend(pair("OutputKey", "OutputValue"));
    said.parameters.extend(pair("ParameterKey", "ParameterValue"));
    Ok(())
}

fn parse(xml: &str) -> Result<Said, XmlDecodeError> {
    let mut document = Document::new(xml);
    let mut said = Said::default();
    let mut root = document.root_element()?;
    if root.start_el().local() != "DescribeStacksResponse" {
        return Err(XmlDecodeError::custom("expected a DescribeStacksResponse"));
    }
    read(&mut root, &mut said)?;
    Ok(said)
}

fn part(cause: impl Into<String>) -> ConsoleError {
    ConsoleError::Part { what: "the console", cause: cause.into() }
}

async fn describe(account: &Account, stack: &str) -> Result<Said, ConsoleError> {
    let xml = account.describe_stack(stack).await.map_err(|error| part(error.to_string()))?;
    parse(&xml).map_err(|error| part(error.to_string()))
}

impl Deployment {
    /// Asks CloudFormation for the parts that the command line does not name.
    pub(super) async fn find(
        options: &ConsoleOptions,
        main: &Account,
        cosigner: &Account,
    ) -> Result<Self, ConsoleError> {
        let said = match &options.stack {
            Some(stack) if options.wallets_table.is_none() => describe(main, stack).await?,
            _ => Said::default(),
        };
        let wallets_table = options.wallets_table.clone();
        let wallets_table = wallets_table.or_else(|| said.outputs.get("WalletsTableName").cloned());
        let wallets_table = wallets_table
            .ok_or_else(|| part("the stack has no output WalletsTableName: pass the main stack"))?;
        let own = said.outputs.get("CosignerTableName").cloned();
        let mut service = options.stack.as_ref().map(|stack| format!("{stack}-cosigner"));
        let cosigner_table = match (&options.cosigner_table, &options.cosigner_stack) {
            (Some(table), _) => Some(table.clone()),
            (None, Some(stack)) => {
                let said = describe(cosigner, stack).await?;
                service = said.parameters.get("FunctionName").cloned();
                Some(
                    said.outputs
                        .get("TableName")
                        .cloned()
                        .ok_or_else(|| part("the cosigner's stack has no output TableName"))?,
                )
            }
            (None, None) => own,
        };
        let defaults = BudgetConfig::default();
        let budget = BudgetConfig {
            per_minute: PerExchange::from_fn(|exchange| {
                let parameter = format!("{}WeightPerMinute", Profile::of(exchange).name);
                said.number(&parameter, defaults.per_minute[exchange])
            }),
            job_percent: said.number("JobBudgetPercent", defaults.job_percent),
            tenant_percent: said.number("TenantBudgetPercent", defaults.tenant_percent),
            egress: said.outputs.get("FixedAddress").cloned().unwrap_or(defaults.egress),
        };
        Ok(Self {
            name: options.stack.clone().unwrap_or_else(|| wallets_table.clone()),
            service: options.stack.clone(),
            cosigner: service,
            cosigner_table,
            api: said.outputs.get("ApiUrl").cloned(),
            usage_plan: said.outputs.get("UsagePlanId").cloned(),
            renewal: said.outputs.get("RenewApikeysFunctionName").cloned(),
            budget,
            renew_within_ms: said.number("RenewWithinDays", RENEW_WITHIN_MS / DAY_MS) * DAY_MS,
            refresh_every_ms: said.number("RefreshEveryDays", REFRESH_EVERY_MS / DAY_MS) * DAY_MS,
            wallets_table,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_outputs_and_parameters_parse_in_any_order() {
        let xml = r#"<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
          <DescribeStacksResult><Stacks><member>
            <StackName>prod</StackName>
            <Outputs>
              <member><OutputKey>WalletsTableName</OutputKey><OutputValue>prod-Wallets</OutputValue></member>
              <member><Description>a &amp; b</Description><OutputValue>https://a?b&amp;c</OutputValue><OutputKey>ApiUrl</OutputKey></member>
            </Outputs>
            <Parameters><member><ParameterKey>RenewWithinDays</ParameterKey><ParameterValue>20</ParameterValue></member>
              <member><ParameterKey>AlarmEmail</ParameterKey><ParameterValue/></member></Parameters>
            <Tags><member><Key>OutputKey</Key><Value>OutputValue</Value></member></Tags>
          </member></Stacks></DescribeStacksResult>
          <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>
        </DescribeStacksResponse>"#;
        let said = parse(xml).unwrap();
        assert_eq!(said.outputs["WalletsTableName"], "prod-Wallets");
        assert_eq!(said.outputs["ApiUrl"], "https://a?b&c");
        assert_eq!(said.number("RenewWithinDays", 14), 20);
        assert_eq!(said.number("AlarmEmail", 14), 14);
        assert_eq!((said.outputs.len(), said.parameters.len()), (2, 2));
        assert!(parse("<html>").is_err() && parse("").is_err());
    }
}
