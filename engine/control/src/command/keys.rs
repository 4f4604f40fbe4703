//! API keys, OAuth clients and their tokens.

use std::sync::Arc;

use linchpin_storage::schema::{AddressRange, ClientKind, ClientRecord};

use super::call::{RowCall, org_of};
use super::desk::Desk;
use super::request::{
    KeyCreate, KeyKindName, KeyLine, KeyList, KeyRevoke, KeyRotate, ListPage, MadeKey, OauthToken, OauthTokens,
};
use crate::access::{Permissions, RoleSets, right};
use crate::account::{GivenSecret, SecretKind};
use crate::loader::LoaderFault;
use crate::loader::client::ClientAsked;
use crate::{Code, CommandError};

/// Permissions by name, for the whole organization; with what is one's own those that can be.
pub(super) fn sets(names: &[String]) -> Result<RoleSets, CommandError> {
    let org = permissions("permissions", names)?;
    Ok(RoleSets { own: org.both(Permissions::OWNABLE), org })
}

pub(super) fn permissions(field: &'static str, names: &[String]) -> Result<Permissions, CommandError> {
    Permissions::parse(names.iter().map(String::as_str))
        .map_err(|_| CommandError::parameter(field, "names of permissions, such as device.view"))
}

pub(super) fn ranges(field: &'static str, texts: &[String]) -> Result<Box<[AddressRange]>, CommandError> {
    let all: Option<Box<[AddressRange]>> = texts.iter().map(|text| AddressRange::parse(text)).collect();
    all.ok_or_else(|| CommandError::parameter(field, "addresses or networks such as 10.0.0.0/8"))
}

pub(super) fn line(number: u32, client: &ClientRecord) -> KeyLine {
    let sets = RoleSets::from_bits(client.own, client.org);
    KeyLine {
        id: number,
        name: client.name.to_string(),
        kind: match client.kind {
            ClientKind::ApiKey => "api",
            ClientKind::OAuth => "oauth",
            ClientKind::Personal => "personal",
        }
        .to_owned(),
        prefix: SecretKind::Key.prefix().to_owned(),
        permissions: sets.org.union(sets.own).iter().map(|permission| permission.name().to_owned()).collect(),
        made_ms: client.made_ms,
        used_ms: Some(client.used_ms).filter(|used_ms| *used_ms > 0),
        until_ms: Some(client.until_ms).filter(|until_ms| *until_ms > 0),
    }
}

pub(super) fn list(call: &RowCall, asked: &KeyList) -> Result<ListPage<KeyLine>, CommandError> {
    let all = call.loader()?.list_clients(&call.scope::<right::KeyManage>(org_of(asked.org)?)?)?;
    Ok(ListPage::whole(all.iter().map(|(number, client)| line(*number, client)).collect()))
}

pub(super) fn create(call: &RowCall, asked: &KeyCreate) -> Result<MadeKey, CommandError> {
    let org = org_of(asked.org)?;
    let (scope, giver, loader) = (call.scope::<right::KeyManage>(org)?, call.giver(org)?, call.loader()?);
    let new = ClientAsked {
        kind: if asked.kind == KeyKindName::Oauth { ClientKind::OAuth } else { ClientKind::ApiKey },
        name: asked.name.as_str().into(),
        sets: sets(&asked.permissions)?,
        until_ms: asked.until_ms.unwrap_or(0),
        from: ranges("from", &asked.from)?,
        requests_per_minute: asked.requests_per_minute.unwrap_or(0),
    };
    let (number, secret) = loader.create_client(&scope, &giver, new, call.now_ms())?;
    shown(call, &scope, number, &secret)
}

fn shown(
    call: &RowCall,
    scope: &crate::access::Scope<right::KeyManage>,
    number: u32,
    secret: &GivenSecret,
) -> Result<MadeKey, CommandError> {
    let found = call.loader()?.list_clients(scope)?.into_iter().find(|(known, _)| *known == number);
    let (_, client) = found.ok_or(LoaderFault::Missing)?;
    Ok(MadeKey { key: line(number, &client), secret: secret.expose().to_owned() })
}

pub(super) fn rotate(call: &RowCall, asked: &KeyRotate) -> Result<MadeKey, CommandError> {
    let scope = call.scope::<right::KeyManage>(org_of(asked.org)?)?;
    let secret = call.loader()?.rotate_client(&scope, asked.key, call.now_ms())?;
    shown(call, &scope, asked.key, &secret)
}

pub(super) fn revoke(call: &RowCall, asked: &KeyRevoke) -> Result<(), CommandError> {
    let scope = call.scope::<right::KeyManage>(org_of(asked.org)?)?;
    Ok(call.loader()?.revoke_client(&scope, asked.key, call.now_ms())?)
}

/// Tokens for an OAuth client.
pub(super) async fn token(desk: &Desk, call: Arc<RowCall>, asked: OauthToken) -> Result<OauthTokens, CommandError> {
    let wrong = || CommandError::new(Code::WrongCredentials, "the client, its secret or the token is not good");
    let tokens = match asked.grant_type.as_str() {
        "client_credentials" => {
            let basic = call.origin().basic.clone();
            let sent = asked.client_id.zip(asked.client_secret);
            let sent = sent.and_then(|(id, secret)| Some((id.into(), GivenSecret::parse(SecretKind::Key, &secret)?)));
            let (_, secret): (Box<str>, GivenSecret) = basic.or(sent).ok_or_else(wrong)?;
            let sets = match asked.scope.as_deref().map(str::trim) {
                None | Some("") => RoleSets::ALL,
                Some(scope) => sets(&scope.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())?,
            };
            desk.with_people(&call, move |call| {
                Ok(call.loader()?.grant_tokens(call.by(), &secret, sets, call.now_ms())?)
            })
            .await
        }
        "refresh_token" => {
            let text = asked.refresh_token.ok_or_else(|| CommandError::parameter("refresh_token", "there"))?;
            let token = GivenSecret::parse(SecretKind::Refresh, &text).ok_or_else(wrong)?;
            desk.with_people(&call, move |call| Ok(call.loader()?.refresh_tokens(call.by(), &token, call.now_ms())?))
                .await
        }
        _ => return Err(CommandError::parameter("grant_type", "client_credentials or refresh_token")),
    };
    let tokens = tokens.map_err(|error| if error.code == Code::Spent { wrong() } else { error })?;
    Ok(OauthTokens {
        access_token: tokens.access.expose().to_owned(),
        token_type: "Bearer".to_owned(),
        expires_in: tokens.expires_ms / 1_000,
        refresh_token: tokens.refresh.expose().to_owned(),
    })
}
