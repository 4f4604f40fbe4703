//! Mail to people. A mail is a record in the outbox, written in the batch of what causes it; its text is made when it is sent.
//! A task of its own takes what is due to the mail server, or, without one, to files for the operator. No address and no
//! link stands in a log.
//!
//! | file | what |
//! |---|---|
//! | `kind` | what mails are about, and their words in English and German |
//! | `text` | from a record to text and HTML |
//! | `outbox` | what waits; how many there may be, and how many to one address |
//! | `deliver` | the task: what is due, what became of it, when it is tried again |
//! | `smtp`, `folder` | the two ways out |

mod deliver;
mod folder;
mod kind;
mod outbox;
mod smtp;
mod text;

pub(crate) use deliver::{MailFigures, MailTask};
pub(crate) use kind::MailKind;
pub(crate) use outbox::{NewMail, Outbox};
pub use smtp::{MailServer, MailTls};
pub(crate) use text::moment;
