//! Bounds of ordering certificates, with their reasons.

use std::time::Duration;

/// Certificates of the configuration that are ordered; each is one or two lines of orders.
pub const CERTIFICATES: usize = 32;
/// Names of one certificate: each has a challenge open while it is proven.
pub const NAMES: usize = linchpin_tls::limits::CHALLENGES;
/// Authorities: the first, and the one to fall back to.
pub const AUTHORITIES: usize = 2;

/// Orders of one set of names in [`ORDERS_SPAN`], both kinds of keys together; Let's Encrypt allows as many certificates.
pub const ORDERS: usize = 5;
/// The time in which [`ORDERS`] are counted.
pub const ORDERS_SPAN: Duration = Duration::from_secs(7 * 86_400);
/// Validations that failed within [`FAILED_SPAN`] before ordering waits for the end of it, as Let's Encrypt counts.
pub const FAILED: usize = 5;
/// The time in which [`FAILED`] are counted.
pub const FAILED_SPAN: Duration = Duration::from_secs(3_600);
/// Least time between two renewals of one line that nobody but the authority asks for.
pub const RENEWALS_APART: Duration = Duration::from_secs(86_400);

/// Waits after failed attempts, in a row; the last one goes on, plus or minus a fifth.
pub const BACK_OFF: [Duration; 9] = [
    Duration::from_secs(60),
    Duration::from_secs(2 * 60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(20 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(3 * 3_600),
    Duration::from_secs(6 * 3_600),
];
/// Waits after orders of the last days, before the next one for the same names: the last of five is not used up in an hour.
pub const ORDER_SPACING: [Duration; ORDERS] = [
    Duration::ZERO,
    Duration::from_secs(60),
    Duration::from_secs(3_600),
    Duration::from_secs(12 * 3_600),
    Duration::from_secs(48 * 3_600),
];
/// Longest Retry-After that is obeyed; more is a mistake of the authority.
pub const RETRY_AFTER: Duration = Duration::from_secs(7 * 86_400);

/// First wait between two looks at an order that the authority works on; doubles.
pub const POLL: Duration = Duration::from_secs(1);
/// Longest such wait.
pub const POLL_MOST: Duration = Duration::from_secs(300);
/// An order that is not done after this time is given up.
pub const ORDER_LIFETIME: Duration = Duration::from_secs(86_400);
/// A name that is not proven this long after its challenge was ready counts as failed.
pub const PROOF: Duration = Duration::from_secs(600);

/// Most and least time between two questions when a certificate should be renewed.
pub const ASK_RENEWAL: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(86_400)];
/// The same after a question that was not answered.
pub const ASK_RENEWAL_AGAIN: Duration = Duration::from_secs(6 * 3_600);
/// Lifetimes shorter than this are renewed after half of them, longer ones after two thirds.
pub const SHORT_LIFETIME: Duration = Duration::from_secs(10 * 86_400);
/// Attempts in a row that fail before the authority to fall back to is asked, while nothing valid is served.
pub const FALL_BACK_AFTER: u32 = 3;
/// Time after which a write that failed is tried again; until it succeeds nothing is ordered.
pub const WRITE_AGAIN: Duration = Duration::from_secs(60);

/// Lines of a log of orders that are stored, for each line of orders.
pub const LOG_LINES: usize = 48;
/// Longest such line, bytes.
pub const LOG_LINE_BYTES: usize = 300;

/// Longest answer of an authority, bytes.
pub const ANSWER_BYTES: usize = 256 << 10;
/// An authority answers within this time.
pub const ANSWER: Duration = Duration::from_secs(30);
/// Exchanges that are made again at once because the authority refused the nonce (RFC 8555, 6.5); the library makes each
/// three times by itself.
pub const NONCES: usize = 4;
/// A hook command ends within this time; then it is ended.
pub const HOOK: Duration = Duration::from_secs(120);
/// A name server answers within this time.
pub const DNS: Duration = Duration::from_secs(3);
/// Wishes of operators that wait.
pub const WISHES: usize = 64;
/// A wish is taken in within this time: longer than an authority that does not answer holds up the orders.
pub const WISH: Duration = Duration::from_secs(60);
/// A plan looks at names for so long; the rest is not looked at.
pub const PLAN: Duration = Duration::from_secs(60);
/// A try of an order ends within this time.
pub const TRY: Duration = Duration::from_secs(300);
/// Chains of one certificate that are looked at: the authority's choice and its alternatives.
pub const CHAINS: usize = 8;
