//! The way to a mail server: SMTP with TLS, which is demanded beyond this machine.

use std::fmt;
use std::net::IpAddr;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use zeroize::Zeroizing;

use crate::limits;

/// How the way is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailTls {
    /// TLS begins by STARTTLS; without it nothing is sent.
    #[default]
    StartTls,
    /// TLS from the first byte.
    Implicit,
    /// None: only to this machine itself.
    None,
}

impl MailTls {
    /// The port where mail servers expect it.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// A mail server. Debug output shows no secret.
#[derive(Clone)]
pub struct MailServer {
    /// Its name or address.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
    /// Who writes, such as `Linchpin <iot@example.com>`.
    pub from: Box<str>,
    /// Name and password; `None`: it asks for none.
    pub login: Option<(Box<str>, Zeroizing<String>)>,
    /// How the way is protected.
    pub tls: MailTls,
    /// Authorities, PEM, in the place of the system's; `None`: the system's.
    pub ca: Option<Box<[u8]>>,
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailServer({}:{}, {:?})", self.host, self.port, self.tls)
    }
}

impl MailServer {
    /// Is what it says usable?
    ///
    /// # Errors
    /// What is wrong, for the operator.
    pub fn check(&self) -> Result<(), String> {
        self.mailbox()?;
        self.transport().map(drop)
    }

    pub(super) fn mailbox(&self) -> Result<Mailbox, String> {
        self.from.parse().map_err(|_| "from must be an address such as \"Linchpin <iot@example.com>\"".to_owned())
    }

    fn is_here(&self) -> bool {
        let name = self.host.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let tls = match self.tls {
            MailTls::None if !self.is_here() => {
                return Err(
                    "without TLS mail goes to this machine only: tls must be \"starttls\" or \"implicit\"".to_owned()
                );
            }
            MailTls::None => Tls::None,
            MailTls::StartTls => Tls::Required(self.parameters()?),
            MailTls::Implicit => Tls::Wrapper(self.parameters()?),
        };
        let hello = self.mailbox()?.email.domain().to_owned();
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&*self.host)
            .port(self.port)
            .tls(tls)
            .hello_name(ClientId::Domain(hello))
            .timeout(Some(limits::MAIL_TIMEOUT));
        let login = self.login.as_ref();
        let builder = login.map_or(builder.clone(), |(name, password)| {
            builder.credentials(Credentials::new(name.to_string(), password.to_string()))
        });
        Ok(builder.build())
    }

    fn parameters(&self) -> Result<TlsParameters, String> {
        let mut builder = TlsParameters::builder(self.host.to_string());
        if let Some(pem) = &self.ca {
            builder = builder.certificate_store(CertificateStore::None);
            builder = builder.add_root_certificate(
                Certificate::from_pem(pem).map_err(|_| "ca has no certificates (PEM)".to_owned())?,
            );
        }
        builder.build_rustls().map_err(|error| format!("TLS to the mail server: {error}"))
    }
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SendEnd {
    /// The server has it.
    Sent,
    /// It will never take it: its status.
    Refused(u16),
    /// Later perhaps: its status.
    Later(u16),
    /// There is no way to the server now; says why, without any address of people.
    NoWay(String),
}

/// The way to the server.
#[derive(Debug)]
pub(super) struct SmtpWay(AsyncSmtpTransport<Tokio1Executor>);

impl SmtpWay {
    pub(super) fn new(server: &MailServer) -> Result<Self, String> {
        server.transport().map(Self)
    }

    pub(super) async fn send(&self, message: Message) -> SendEnd {
        let sent = tokio::time::timeout(limits::MAIL_WHOLE_TIMEOUT, self.0.send(message)).await;
        let error = match sent {
            Ok(Ok(_)) => return SendEnd::Sent,
            Ok(Err(error)) => error,
            Err(_) => return SendEnd::NoWay(format!("no end within {} s", limits::MAIL_WHOLE_TIMEOUT.as_secs())),
        };
        // What a server says in words may repeat the address: its status is enough.
        match error.status().map(u16::from) {
            // It does not let us in, or wants TLS: that is not about this mail.
            Some(status @ (421 | 454 | 530 | 534 | 535 | 538)) => {
                SendEnd::NoWay(format!("the server answered {status}"))
            }
            Some(status) if error.is_permanent() => SendEnd::Refused(status),
            Some(status) => SendEnd::Later(status),
            None => SendEnd::NoWay(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, tls: MailTls) -> MailServer {
        let from = "Linchpin <iot@example.com>".into();
        let login = Some(("iot".into(), Zeroizing::new("canary".to_owned())));
        MailServer { host: host.into(), port: tls.port(), from, login, tls, ca: None }
    }

    #[test]
    fn without_tls_mail_stays_on_this_machine() {
        for here in ["localhost", "127.0.0.1", "127.8.8.8", "::1"] {
            assert_eq!(server(here, MailTls::None).check(), Ok(()), "{here}");
        }
        for elsewhere in ["mail.example.com", "192.0.2.7", "localhost.example.com"] {
            assert!(server(elsewhere, MailTls::None).check().is_err(), "{elsewhere}");
        }
        assert!(MailServer { from: "nobody".into(), ..server("::1", MailTls::None) }.check().is_err());
        assert!(!format!("{:?}", server("localhost", MailTls::None)).contains("canary"));
    }
}
