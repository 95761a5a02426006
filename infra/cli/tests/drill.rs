//! The drill "A tenant key has leaked": the commands of the runbook in `docs/guides/tenant-keys.md`, run
//! one after the other as they are written there, against a stand-in for a deployment. The
//! transcript is kept in `leaked-tenant-key.txt` of the target's folder for tests.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a failing drill panics")]

mod cloud;
mod deployment;
mod running;

use std::fmt::Write;
use std::process::Command;

use deployment::World;
use serde_json::json;
use shared::tenancy::Scope;

const HEADING: &str = "## A tenant key has leaked";

/// The commands of the runbook, in their order.
fn runbook() -> Vec<String> {
    let path = format!("{}/../../docs/guides/tenant-keys.md", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once(HEADING).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let lines = section.lines().map(str::trim);
    lines.filter(|line| line.starts_with("hyperdex ")).map(ToOwned::to_owned).collect()
}

struct Drill<'a> {
    world: &'a World,
    transcript: String,
    steps: std::vec::IntoIter<String>,
    leaked: String,
}

impl Drill<'_> {
    /// Runs the next command of the runbook, which is to contain this text. Returns its result.
    fn step(&mut self, expected: &str) -> String {
        let written = self.steps.next().unwrap_or_else(|| panic!("no command for {expected}"));
        assert!(written.contains(expected), "the runbook says {written}, not {expected}");
        let command = written
            .replace("TENANT", "acme")
            .replace("KEY_ID", &self.leaked)
            .replace("STACK", "prod")
            .replace("PROFILE", "operator");
        let program = env!("CARGO_BIN_EXE_hyperdex");
        let line = command.replacen("hyperdex", &format!("'{program}'"), 1);
        let url = &self.world.cloud.url;
        let mut shell = Command::new("sh");
        self.world.as_operator(&mut shell);
        let output = shell.args(["-c", &format!("{line} --endpoint-url {url}")]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (said, noted) = (text(&output.stdout), text(&output.stderr));
        writeln!(self.transcript, "$ {command}").unwrap();
        for shown in [&said, &noted] {
            for line in shown.lines() {
                // The one value that is printed.
                let line = if line.starts_with("hdxk") { "hdxk…" } else { line };
                writeln!(self.transcript, "  {line}").unwrap();
            }
        }
        writeln!(self.transcript, "  exit code {}", output.status.code().unwrap()).unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", self.transcript);
        said
    }

    fn check<T: Copy + PartialEq<u16> + std::fmt::Display>(
        &mut self,
        what: &str,
        found: T,
        wanted: u16,
    ) {
        writeln!(self.transcript, "  check: {what}: {found}").unwrap();
        assert!(found == wanted, "{}", self.transcript);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leaked_tenant_key_is_contained_by_the_runbook() {
    let world = World::start().await;
    world.cloud.let_administer(true);
    let (leaked, thief) =
        world.key("acme", &[Scope::Read, Scope::Wallets, Scope::Sign, Scope::Keys]).await;
    let (_, other) = world.key("other", &Scope::ALL).await;

    // The tenant's users, and the trading keys that the thief received.
    for (key, user) in [(&thief, "user_1"), (&thief, "user_2"), (&other, "user_1")] {
        let made = world.post_as(key, "/api/wallets", &json!({ "userId": user })).await;
        assert_eq!(made, 201);
        for exchange in ["aster", "hyperliquid"] {
            let path = format!("/api/trading/{exchange}/apikey");
            let body = json!({ "walletIdOrAddress": user });
            assert_eq!(world.post_as(key, &path, &body).await, 200);
        }
    }
    let message = json!({ "message": "hello" });
    let sign = async |key: &str| world.post_as(key, "/api/wallets/user_1/sign", &message).await;
    assert_eq!(
        (sign(&thief).await, world.agents("acme").await, world.agents("other").await),
        (200, 4, 2)
    );

    let steps = runbook().into_iter();
    let mut drill =
        Drill { world: &world, transcript: String::new(), steps, leaked: leaked.to_string() };
    writeln!(drill.transcript, "Drill: a tenant key of acme has leaked.").unwrap();
    drill.check("the thief signs", sign(&thief).await, 200);
    drill.check("trading keys of acme at the exchanges", world.agents("acme").await, 4);

    assert!(drill.step("keys list").contains(leaked.as_str()));
    drill.step("keys revoke");
    drill.check("the thief signs", sign(&thief).await, 403);
    drill.check("trading keys of acme at the exchanges", world.agents("acme").await, 4);
    drill.step("tenants suspend");
    drill.step("tenants revoke-trading-keys");
    drill.check("trading keys of acme at the exchanges", world.agents("acme").await, 0);
    drill.check("trading keys of another tenant", world.agents("other").await, 2);
    assert!(drill.step("tenants show").contains("a key has leaked"));
    let replacement = drill.step("keys add").trim().to_owned();
    drill.check("the new key signs while the tenant is suspended", sign(&replacement).await, 403);
    drill.check("the new key reads", world.reads(&replacement).await, 200);
    drill.step("tenants resume");
    // A function remembers a key for up to 20 seconds.
    world.forget_keys();
    drill.check("the new key signs", sign(&replacement).await, 200);
    drill.check("the thief signs", sign(&thief).await, 403);
    let path = "/api/trading/hyperliquid/apikey";
    let body = json!({ "walletIdOrAddress": "user_1" });
    let registered = world.post_as(&replacement, path, &body).await;
    drill.check("the tenant registers a wallet again", registered, 200);
    drill.check("the other tenant signs all the while", sign(&other).await, 200);
    assert_eq!(drill.steps.next(), None, "a command of the runbook was not performed");

    let kept = format!("{}/leaked-tenant-key.txt", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&kept, &drill.transcript).unwrap();
    println!("{}\nkept in {kept}", drill.transcript);
}
