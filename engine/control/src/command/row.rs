//! A row of the table of commands: everything that is to be known of one command, written once.

use std::sync::{Arc, LazyLock};

use schemars::Schema;
use serde_json::Value;

use super::call::{RowCall, RowCaller};
use super::desk::Desk;
use super::needs::Needs;
use super::request::Request;
use super::run::{Outcome, Run};
use crate::access::Denial;
use crate::backup::Upkeep;
use crate::{Code, CommandError};

/// What is written down of a command that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditClass {
    /// Nothing: it only looks.
    Look,
    /// Who saw secrets or took data out.
    Reveal,
    /// Who changed something.
    Change,
    /// Who destroyed something.
    Erase,
}

impl AuditClass {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Reveal => "reveal",
            Self::Change => "change",
            Self::Erase => "erase",
        }
    }
}

/// Where a command is over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Such as `GET`.
    pub method: &'static str,
    /// Such as `/api/v1/orgs/{org}/users`.
    pub path: &'static str,
}

impl Route {
    /// Is it one of Blynk's Platform API, with its shapes and errors?
    #[must_use]
    pub fn is_platform(&self) -> bool {
        let below = self.path.strip_prefix("/api/v1/organization");
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The JSON schemas of a command.
#[derive(Clone, Debug)]
pub struct Shapes {
    /// Of the request.
    pub parameters: Schema,
    /// Of the answer.
    pub answer: Schema,
    /// Of what follows the answer, if something does.
    pub item: Option<Schema>,
}

/// One command.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its name, such as `device.show`.
    pub name: &'static str,
    /// Who may.
    pub needs: Needs,
    /// What is written down.
    pub audit: AuditClass,
    /// Where it is over HTTP; `None`: it is for operators.
    pub route: Option<Route>,
    pub(super) shapes: &'static LazyLock<Shapes>,
    pub(super) run: Run,
    /// Its parameters, read and written again.
    #[cfg(test)]
    pub(crate) read: fn(&Schema, Value) -> Result<Value, CommandError>,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Row {
    /// Its schemas.
    #[must_use]
    pub fn shapes(&self) -> &'static Shapes {
        self.shapes
    }

    /// Run it for whoever calls.
    ///
    /// # Errors
    /// They may not, the parameters are wrong, or what the command says.
    pub(crate) async fn run(
        &'static self,
        desk: &Desk,
        call: &Arc<RowCall>,
        parameters: Value,
    ) -> Result<Outcome, CommandError> {
        self.let_in(call)?;
        let outcome = match self.run {
            Run::Once(run) => run(&self.shapes().parameters, desk, call, parameters).await.map(Outcome::Answer),
            Run::Follow(run) => run(&self.shapes().parameters, desk, call, parameters).await.map(Outcome::Stream),
        };
        if self.audit != AuditClass::Look && matches!(call.caller(), RowCaller::Operator) {
            let end = outcome.as_ref().map_or_else(|error| error.code.name(), |_| "done");
            tracing::info!(command = self.name, audit = self.audit.name(), end, "an operator's command");
        }
        outcome
    }

    /// May they at all? What they may in an organization is looked at by [`RowCall::scope`], without which nothing of it can
    /// be read.
    ///
    /// # Errors
    /// They may not.
    pub(crate) fn let_in(&self, call: &RowCall) -> Result<(), CommandError> {
        let RowCaller::Known(known) = call.caller() else {
            return match (call.caller(), self.needs) {
                (RowCaller::Operator, _) | (_, Needs::Nobody) => Ok(()),
                _ => Err(CommandError::new(Code::SignInFirst, "sign in first")),
            };
        };
        let standing = &known.asker.standing;
        match self.needs {
            Needs::Nobody => Ok(()),
            Needs::In(_) if self.route.is_none() => Err(Denial::Unseen.into()),
            Needs::In(_) => Ok(()),
            Needs::Partly | Needs::Myself | Needs::MyselfFresh if standing.assurance.is_key() => {
                Err(CommandError::new(Code::Forbidden, "this is for people, not for keys"))
            }
            Needs::Partly => Ok(()),
            _ if call.owes_factor() => Err(Denial::FactorDue.into()),
            Needs::MyselfFresh if !standing.is_fresh(call.now_ms()) => {
                let text = "this needs a fresh proof: give your password or a code again";
                Err(CommandError::new(Code::StepUpDue, text))
            }
            Needs::Myself | Needs::MyselfFresh => Ok(()),
        }
    }
}

/// A request that needs nothing but an open store: it is answered without a server too. Blocks for the disk.
pub trait Offline: Request {
    /// Does it leave the store as it is? Then a store that is open to read only will do.
    const ONLY_READS: bool;

    /// Carry it out.
    ///
    /// # Errors
    /// What the store or the place of backups says; a parameter is wrong.
    fn carry_out(&self, upkeep: &Upkeep) -> Result<Self::Answer, CommandError>;
}

/// Rows: kind, request, name, answer (and item), who may, audit class, function, and method and path over HTTP.
///
/// For operators only: `ask` is answered once by the running server, `follow` has items behind the answer, `store` needs the
/// store only, `both` does more in the running server than with the store alone, which is the second function.
///
/// For whoever may, over HTTP (`=> METHOD PATH`) and at the admin socket: `people` needs the store only and may wait for the
/// disk: `fn(&RowCall, &Request)`; `web` is an `async fn(&Desk, Arc<RowCall>, Request)` that may need the shards or the password
/// threads; `flow` is the same with items behind the answer, a JSON line each.
macro_rules! rows {
    ($($kind:ident $request:ident $name:literal -> $answer:ty $([$item:ty])?: $needs:ident $(& $more:ident)*,
        $audit:ident, $run:path $(, $offline:path)? $(=> $method:literal $path:literal)?;)*) => {
        $(impl $crate::command::request::Request for $request {
            const NAME: &'static str = $name;
            type Answer = $answer;
        })*
        $($(impl $crate::command::request::Follow for $request {
            type Item = $item;
        })?)*
        $($crate::command::row::rows!(@offline $kind $request $needs $(& $more)* ; $audit $run $(, $offline)?);)*

        /// The rows of this subject.
        pub(in crate::command) static ROWS: &[$crate::command::row::Row] = &[$($crate::command::row::Row {
            name: $name,
            needs: $crate::command::row::rows!(@needs $needs $(& $more)*),
            audit: $crate::command::row::AuditClass::$audit,
            route: $crate::command::row::rows!(@route $($method $path)?),
            shapes: {
                static SHAPES: std::sync::LazyLock<$crate::command::row::Shapes> = std::sync::LazyLock::new(|| {
                    let schema = schemars::SchemaGenerator::default;
                    $crate::command::row::Shapes {
                        parameters: schema().into_root_schema_for::<$request>(),
                        answer: schema().into_root_schema_for::<$answer>(),
                        item: $crate::command::row::rows!(@item $($item)?),
                    }
                });
                &SHAPES
            },
            run: $crate::command::row::rows!(@run $kind $request $run),
            #[cfg(test)]
            read: |schema, parameters| {
                $crate::command::run::value(&$crate::command::run::read::<$request>(schema, parameters)?)
            },
        }),*];
    };
    (@route) => { None };
    (@route $method:literal $path:literal) => { Some($crate::command::row::Route { method: $method, path: $path }) };
    (@needs Nobody) => { $crate::command::needs::Needs::Nobody };
    (@needs Partly) => { $crate::command::needs::Needs::Partly };
    (@needs Myself) => { $crate::command::needs::Needs::Myself };
    (@needs MyselfFresh) => { $crate::command::needs::Needs::MyselfFresh };
    (@needs $($needs:ident)&+) => {
        $crate::command::needs::Needs::In(&[$($crate::access::Permission::$needs),+])
    };
    (@item) => { None };
    (@item $item:ty) => { Some(schemars::SchemaGenerator::default().into_root_schema_for::<$item>()) };
    (@offline store $request:ident $needs:ident ; $audit:ident $run:path) => {
        $crate::command::row::rows!(@offline both $request $needs ; $audit $run, $run);
    };
    (@offline both $request:ident $needs:ident ; $audit:ident $run:path, $offline:path) => {
        $crate::command::row::rows!(@carried $request $audit, |upkeep, asked| $offline(upkeep, asked));
    };
    (@offline people $request:ident $($needs:ident)&+ ; $audit:ident $run:path) => {
        $crate::command::row::rows!(@carried $request $audit, |upkeep, asked| {
            let needs = $crate::command::row::rows!(@needs $($needs)&+);
            $run(&$crate::command::call::RowCall::operator(Some(upkeep.loader()?), needs), asked)
        });
    };
    (@offline $kind:ident $request:ident $($needs:ident)&+ ; $audit:ident $run:path) => {};
    (@carried $request:ident $audit:ident, |$upkeep:ident, $asked:ident| $run:expr) => {
        impl $crate::command::row::Offline for $request {
            const ONLY_READS: bool = matches!(
                $crate::command::row::AuditClass::$audit,
                $crate::command::row::AuditClass::Look
            );

            fn carry_out(
                &self,
                $upkeep: &$crate::backup::Upkeep,
            ) -> Result<Self::Answer, $crate::CommandError> {
                let $asked = self;
                $run
            }
        }
    };
    (@run ask $request:ident $run:path) => {
        $crate::command::row::rows!(@once $request, |desk, _call, request| $run(desk, request).await)
    };
    (@run both $request:ident $run:path) => { $crate::command::row::rows!(@run ask $request $run) };
    (@run store $request:ident $run:path) => {
        $crate::command::row::rows!(@once $request, |desk, _call, request| {
            use $crate::command::row::Offline as _;
            desk.with_upkeep(move |upkeep| request.carry_out(upkeep)).await
        })
    };
    (@run people $request:ident $run:path) => {
        $crate::command::row::rows!(@once $request, |desk, call, request| {
            desk.with_people(call, move |call| $run(call, &request)).await
        })
    };
    (@run web $request:ident $run:path) => {
        $crate::command::row::rows!(@once $request, |desk, call, request| {
            $run(desk, std::sync::Arc::clone(call), request).await
        })
    };
    (@run follow $request:ident $run:path) => {
        $crate::command::row::rows!(@begun $request, |desk, _call, request| $run(desk, request).await)
    };
    (@run flow $request:ident $run:path) => {
        $crate::command::row::rows!(@begun $request, |desk, call, request| {
            $run(desk, std::sync::Arc::clone(call), request).await
        })
    };
    (@once $request:ident, |$desk:ident, $call:ident, $asked:ident| $run:expr) => {
        $crate::command::run::Run::Once(|schema, $desk, $call, parameters| {
            Box::pin(async move {
                let $asked = $crate::command::run::read::<$request>(schema, parameters)?;
                $crate::command::run::answer(&$run?)
            })
        })
    };
    (@begun $request:ident, |$desk:ident, $call:ident, $asked:ident| $run:expr) => {
        $crate::command::run::Run::Follow(|schema, $desk, $call, parameters| {
            Box::pin(async move {
                let $asked = $crate::command::run::read::<$request>(schema, parameters)?;
                let (begun, items) = $run?;
                let begun = $crate::command::run::answer(&begun)?;
                Ok($crate::command::run::Streamed { begun, items: Box::new(items) })
            })
        })
    };
}

pub(crate) use rows;
