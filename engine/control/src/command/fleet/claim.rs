//! Devices that are made before their board: static tokens, claims, provisioning.

use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, OrgId};
use linchpin_storage::schema::{Device, StaticState};

use super::{check_template, one, publish, replace_token};
use crate::access::right;
use crate::command::call::{RowCall, RowCaller};
use crate::command::desk::Desk;
use crate::command::request::{
    ClaimDevice, ClaimedDevice, FleetTokenReplace, ListPage, ProvisionAgain, ProvisionMake, Provisioned, StaticList,
    StaticMade, StaticMake, StaticPair,
};
use crate::{Code, CommandError, limits};

pub(in crate::command) async fn make_static(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: StaticMake,
) -> Result<ListPage<StaticMade>, CommandError> {
    let StaticMake { org, template, count, name } = asked;
    let org = org.0;
    let admit = move |call: &RowCall| {
        call.scope::<right::DeviceBatch>(org)?;
        call.scope::<right::DeviceCreate>(org).map(drop)
    };
    desk.with_people(&call, admit).await?;
    check_template(desk, &call, org, template.0)?;
    let named = |n: usize| match (name.as_str(), count) {
        ("", _) => String::new(),
        (name, 1) => name.to_owned(),
        (name, _) => format!("{name} {}", n + 1),
    };
    let wanted = (0..count).map(|n| one::blank(&named(n), Some(template.0), Vec::new())).collect();
    let devices = one::make_all(desk, &call, org, wanted).await?;
    let (pairs, devices) = desk
        .with_people(&call, move |call| {
            let scope = call.scope::<right::DeviceBatch>(org)?;
            let pairs = call.loader()?.create_static(&scope, &devices, call.now_ms())?;
            Ok((pairs, devices))
        })
        .await?;
    call.extras(|extras| extras.status = Some(201));
    let line = |(pair, (_, device)): (&crate::loader::static_token::MadeStatic, &(DeviceId, Device))| StaticMade {
        number: pair.number,
        device: pair.device.get(),
        token: device.token.into(),
        claim: pair.claim.to_string(),
        qr: format!("{}+{org}", pair.claim),
    };
    Ok(ListPage::whole(pairs.iter().zip(&devices).map(line).collect()))
}

pub(in crate::command) async fn list_static(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: StaticList,
) -> Result<ListPage<StaticPair>, CommandError> {
    let StaticList { org, after, limit } = asked;
    let org = org.0;
    let found = desk
        .with_people(&call, move |call| {
            let scope = call.scope::<right::DeviceBatch>(org)?;
            Ok(call.loader()?.list_static(&scope, after, limit)?)
        })
        .await?;
    let next = (found.len() == limit).then(|| found.last().map(|pair| pair.number.to_string())).flatten();
    let items = found.iter().map(|pair| {
        let (state, device) = match pair.state {
            StaticState::Unclaimed => ("unclaimed", None),
            StaticState::Claimed(device) => ("claimed", Some(device.get())),
            StaticState::Withdrawn => ("withdrawn", None),
        };
        StaticPair {
            number: pair.number,
            template: pair.template.as_str().to_owned(),
            state: state.to_owned(),
            device,
            made_ms: pair.made_ms,
        }
    });
    Ok(ListPage { items: items.collect(), next })
}

pub(in crate::command) async fn claim(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: ClaimDevice,
) -> Result<ClaimedDevice, CommandError> {
    let claimed = move |call: &RowCall| {
        let person = call.myself()?;
        let RowCaller::Known(known) = call.caller() else {
            return Err(CommandError::new(Code::SignInFirst, "sign in first"));
        };
        Ok(call.loader()?.claim_device(&known.asker, person, &asked.code, call.now_ms())?)
    };
    let (entry, record) = desk.with_people(&call, claimed).await?;
    let device = DeviceId::new(entry.number).ok_or_else(|| CommandError::new(Code::Spent, "no such code"))?;
    publish(desk, entry.org, device, &record).await?;
    Ok(ClaimedDevice { org: entry.org.get(), id: entry.number, name: record.name.to_string() })
}

/// What the board's form wants, and what is in its way.
fn provisioned(
    desk: &Desk,
    device: DeviceId,
    token: crate::Plain<linchpin_protocol::model::Token>,
    until_ms: Option<u64>,
) -> Provisioned {
    let (host, _, port_tls) = desk.address();
    let mut warnings = Vec::new();
    if host.len() > limits::EDGENT_HOST_BYTES {
        let most = limits::EDGENT_HOST_BYTES;
        warnings.push(format!("unmodified firmware cuts host names after {most} characters, and {host} is longer"));
    }
    if host.parse::<std::net::IpAddr>().is_ok() {
        warnings.push(
            "unmodified firmware checks the certificate by a name, not an address: set console.public_url".to_owned(),
        );
    }
    let secret = token.0.expose();
    let links = vec![format!("http://192.168.4.1/config?blynk={secret}&host={host}&port_ssl={port_tls}&ssid=&pass=")];
    Provisioned { token, device: device.get(), host, port_tls, until_ms, warnings, links }
}

pub(in crate::command) async fn provision(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: ProvisionMake,
) -> Result<Provisioned, CommandError> {
    let org: OrgId = asked.org.0;
    let until_ms = call.now_ms() + limits::PENDING_MS;
    let device = Device { pending_until_ms: until_ms, ..one::blank(&asked.name, None, Vec::new()) };
    let made = one::make_all(desk, &call, org, vec![device]).await?;
    let Some((id, device)) = made.into_iter().next() else {
        return Err(CommandError::new(Code::Failed, "no device was made"));
    };
    desk.fleet.await_board(id, org, until_ms);
    call.extras(|extras| extras.status = Some(201));
    Ok(provisioned(desk, id, device.token.into(), Some(until_ms)))
}

pub(in crate::command) async fn provision_again(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: ProvisionAgain,
) -> Result<Provisioned, CommandError> {
    let ProvisionAgain { org, device } = asked;
    let replaced = replace_token(desk, call, FleetTokenReplace { org, device }).await?;
    Ok(provisioned(desk, device.0, replaced.token, None))
}
