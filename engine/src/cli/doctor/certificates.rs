//! What would keep an order of a certificate from succeeding: authority, clock, names, CAA records, ports.

use linchpin_control::acme::{Gravity, PlanFinding};

use super::checks::{Finding, Grade};
use crate::cli::certificate;
use crate::cli::failure::Failure;
use crate::config::Listen;
use crate::tls::TlsConfig;

const WHY: &str = "An order looks at it; the certificate that is served would not be renewed.";

/// The findings of a plan; none if nothing is ordered.
///
/// # Errors
/// A file that the configuration names cannot be used.
pub(super) fn look(tls: Option<&TlsConfig>, listen: &Listen) -> Result<Vec<Finding>, Failure> {
    Ok(certificate::findings(tls, listen)?.into_iter().map(finding).collect())
}

fn finding(one: PlanFinding) -> Finding {
    let (grade, fix) = match one.mark {
        Gravity::Ok => (Grade::Ok, ""),
        Gravity::Warn => (Grade::Warn, ""),
        Gravity::Fail => (Grade::Fail, "linchpin cert plan --config FILE"),
    };
    Finding { check: "certificates", grade, found: one.text, why: WHY.into(), fix: fix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_make_an_order_fail_fails_here() {
        let of = |mark| finding(PlanFinding { mark, text: "node.example has no address".to_owned() });
        assert_eq!(of(Gravity::Fail).grade, Grade::Fail);
        assert_eq!(of(Gravity::Warn).grade, Grade::Warn);
        assert!(of(Gravity::Ok).grade == Grade::Ok && of(Gravity::Ok).fix.is_empty());
    }
}
