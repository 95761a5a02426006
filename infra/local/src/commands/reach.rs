//! The target of a command: a deployment, a running local stack, or a local stack that the command
//! starts for itself.

use std::path::PathBuf;

use hyperdex_console::operator::session::{DeploymentArgs, Session};
use serde_json::json;

use super::arguments::Place;
use crate::admin::{Admin, AdminError, AdminReply, AdminRequest};
use crate::control::{ControlError, ask, is_running};
use crate::error::StartError;
use crate::options::{CosignerHost, Options};
use crate::stack::Stack;

/// An error of a command on tenants or keys.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The request was refused, or a step failed.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The running local stack refused the request.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The local stack's data cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The reply belongs to another request.
    #[error("unexpected reply of the running stack: is it of the same version?")]
    Reply,
}

/// The target of a command.
pub enum Reach {
    /// A deployment, from this process.
    Deployment(Box<Admin>, String),
    /// The stack that runs with this data directory.
    Running(PathBuf, String),
    /// A stack of this command's own, because none runs.
    Own(Box<Stack>, String),
}

impl std::fmt::Debug for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deployment(_, by) => write!(f, "Deployment({by})"),
            Self::Running(path, _) => write!(f, "Running({})", path.display()),
            Self::Own(stack, _) => write!(f, "Own({stack:?})"),
        }
    }
}

impl Reach {
    /// Returns the target that the arguments name: a deployment, or else the data directory's stack.
    ///
    /// # Errors
    /// Fails when the deployment or the data directory cannot be used.
    pub async fn find(
        deployment: &DeploymentArgs,
        place: &Place<'_>,
    ) -> Result<Self, CommandError> {
        let Place { data_dir, user, clock, random } = place.clone();
        if let Some(stack) = &deployment.stack {
            let session = Session::open(stack, deployment, clock.clone()).await;
            let session = session.map_err(|error| AdminError::Deployment(error.to_string()))?;
            let by = session.principal.clone();
            let admin = Admin::deployed(session, clock, random).await?;
            return Ok(Self::Deployment(Box::new(admin), by));
        }
        let by = format!("local:{user}");
        if is_running(data_dir) {
            return Ok(Self::Running(data_dir.to_owned(), by));
        }
        let mut options = Options::new(data_dir);
        options.cosigner = CosignerHost::InProcess;
        options.quiet = true;
        (options.clock, options.random) = (clock, random);
        Ok(Self::Own(Box::new(Stack::start(options).await?), by))
    }

    /// Returns true if it is a local stack.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        !matches!(self, Self::Deployment(..))
    }

    /// Returns the operator's name for the records.
    #[must_use]
    pub fn by(&self) -> &str {
        match self {
            Self::Deployment(_, by) | Self::Running(_, by) | Self::Own(_, by) => by,
        }
    }

    /// Executes a request.
    ///
    /// # Errors
    /// Fails when a step of the request failed.
    pub async fn ask(&self, request: AdminRequest) -> Result<AdminReply, CommandError> {
        match self {
            Self::Deployment(admin, _) => Ok(admin.run(request).await?),
            Self::Own(stack, _) => Ok(stack.admin.run(request).await?),
            Self::Running(data_dir, _) => {
                let reply = ask(data_dir, "admin", &json!(request)).await?;
                serde_json::from_value(reply).map_err(|_| CommandError::Reply)
            }
        }
    }

    /// Stops the stack that the command started.
    pub async fn close(self) {
        if let Self::Own(stack, _) = self {
            stack.stop().await;
        }
    }
}
