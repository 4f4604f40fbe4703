//! What is asked of an authority, and how it answers.

use zeroize::Zeroizing;

use super::HeldCertificate;

/// One exchange with an authority, or work for it that takes time. Lines and authorities are numbered as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AcmeCall {
    /// Make the key of a certificate. Answer: [`AcmeAnswer::Key`].
    MakeKey,
    /// Make the key of an account. Answer: [`AcmeAnswer::Key`].
    MakeAccountKey,
    /// Register the account whose key is stored. Answer: [`AcmeAnswer::Registered`].
    Register,
    /// When should the certificate be renewed? Answer: [`AcmeAnswer::Window`].
    Window,
    /// Order a certificate; `replaces`: name the one that is served. Answer: [`AcmeAnswer::Ordered`].
    Order {
        /// Name the certificate that is served.
        replaces: bool,
    },
    /// How far is the order? Answer: [`AcmeAnswer::Status`].
    Look,
    /// Open a challenge for each name that is not proven, and tell the authority. Answer: [`AcmeAnswer::Opened`].
    Prove {
        /// Orders in a row that ended invalid: which way of proving has its turn.
        turn: u32,
    },
    /// Send the request for the stored key. Answer: [`AcmeAnswer::Status`].
    Finalize,
    /// Take the certificate, and judge it. Answer: [`AcmeAnswer::Fetched`].
    Fetch,
    /// Revoke the certificate that is served, for this reason (RFC 5280, 5.3.1). Answer: [`AcmeAnswer::Revoked`].
    Revoke {
        /// The reason's number.
        reason: u8,
    },
}

/// How far an order is (RFC 8555, 7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderStage {
    /// Names are not proven.
    Pending,
    /// It waits for the request.
    Ready,
    /// The authority works on it.
    Processing,
    /// The certificate is there.
    Valid,
    /// It will never give one.
    Invalid,
}

/// What a [`AcmeCall`] led to.
#[derive(Clone, Debug)]
pub(crate) enum AcmeAnswer {
    /// A new key, PKCS #8 in PEM.
    Key(Zeroizing<String>),
    /// The account's address; with another key if the authority's library made its own.
    Registered {
        /// The account's address.
        url: String,
        /// Its key, if it is not the stored one.
        key_pem: Option<Zeroizing<String>>,
    },
    /// Renew between these times, ask again after so many seconds.
    Window {
        /// Begin, s since 1970.
        start_s: u64,
        /// End, s since 1970.
        end_s: u64,
        /// Ask again, s from now.
        again_s: u64,
    },
    /// The order's address.
    Ordered(String),
    /// How far it is, and when to look again, s from now. Why, if it is invalid.
    Status {
        /// How far.
        stage: OrderStage,
        /// Look again, s from now.
        again_s: Option<u64>,
        /// What the authority says of an invalid one.
        why: String,
    },
    /// Challenges are open; in which way each name is proven, in words.
    Opened(String),
    /// The certificate, fit to be served.
    Fetched(Box<HeldCertificate>),
    /// It is revoked.
    Revoked,
    /// It failed.
    Failed(CallFailure),
}

/// Why a [`AcmeCall`] failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallFailure {
    pub(crate) kind: FailureKind,
    /// The authority wants to be left alone for so many seconds.
    pub(crate) retry_after_s: Option<u64>,
    /// In words; without a key, a token or an address of mail.
    pub(crate) text: String,
}

/// What a [`CallFailure`] means for what is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// Nobody answers, or not in a way that means anything: the same again later.
    Unreachable,
    /// Too much was asked: the same again, when the authority allows it.
    Limited,
    /// The authority does not want this; asking again will not change that soon.
    Refused,
    /// The authority does not take the certificate that is to be replaced: it is already, or is not found.
    NotReplaceable,
    /// The authority does not know the order any more.
    OrderGone,
    /// It does not know the account any more.
    AccountGone,
    /// The certificate that came cannot be served.
    Unfit,
}

impl CallFailure {
    pub(crate) fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { kind, retry_after_s: None, text: text.into() }
    }
}
