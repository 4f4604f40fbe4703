//! What people change of themselves.

use crate::command::request::*;
use crate::command::row::rows;
use crate::command::{address, me};

rows! {
    people MeEdit        "me.edit"           -> MyPerson:              Myself,      Change, me::edit           => "PATCH" "/api/v1/me";
    web    MePassword    "me.password"       -> ():                    Myself,      Change, me::password       => "PUT" "/api/v1/me/password";
    web    MeAddress     "me.email"          -> ():                    MyselfFresh, Change, address::ask        => "PUT" "/api/v1/me/email";
    people AddressConfirm "me.email-confirm" -> ():                    Nobody,      Change, address::confirm    => "POST" "/api/v1/verify/address";
    people AddressStop   "me.email-stop"     -> ():                    Nobody,      Change, address::stop       => "POST" "/api/v1/verify/stop";
    people MySessions    "me.sessions"       -> ListPage<MySession>:   Myself,      Look,   me::sessions       => "GET" "/api/v1/me/sessions";
    people MySessionsEnd "me.sessions-end"   -> ():                    Myself,      Change, me::end_sessions   => "DELETE" "/api/v1/me/sessions";
    people MySessionEnd  "me.session-end"    -> ():                    Myself,      Change, me::end_session    => "DELETE" "/api/v1/me/sessions/{session}";
    people FactorBegin   "me.totp"           -> FactorSecret:          Partly,      Change, me::begin_factor   => "POST" "/api/v1/me/totp";
    web    FactorConfirm "me.totp-confirm"   -> RecoveryCodes:         Partly,      Change, me::confirm_factor => "POST" "/api/v1/me/totp/confirm";
    people FactorRemove  "me.totp-remove"    -> ():                    MyselfFresh, Change, me::remove_factor  => "DELETE" "/api/v1/me/totp";
    people RecoveryRenew "me.recovery"       -> RecoveryCodes:         MyselfFresh, Change, me::renew_recovery => "POST" "/api/v1/me/recovery";
    people MyKeys        "me.keys"           -> ListPage<KeyLine>:     Myself,      Look,   me::list_keys      => "GET" "/api/v1/me/keys";
    people MyKeyCreate   "me.key-create"     -> MadeKey:               MyselfFresh, Reveal, me::create_key     => "POST" "/api/v1/me/keys";
    people MyKeyRevoke   "me.key-revoke"     -> ():                    Myself,      Change, me::revoke_key     => "DELETE" "/api/v1/me/keys/{key}";
    people MyConsents    "me.consents"       -> ListPage<ConsentLine>: Myself,      Look,   me::consents       => "GET" "/api/v1/me/consents";
    people MyConsentSet  "me.consent-set"    -> ListPage<ConsentLine>: Myself,      Change, me::set_consent    => "PUT" "/api/v1/me/consents";
}
