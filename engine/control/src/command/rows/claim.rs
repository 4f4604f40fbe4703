//! Devices that are made before their board.

use crate::command::fleet;
use crate::command::request::*;
use crate::command::row::rows;

rows! {
    web StaticMake "static.make" -> ListPage<StaticMade>: DeviceBatch & DeviceCreate, Reveal, fleet::make_static
        => "POST" "/api/v1/orgs/{org}/static";
    web StaticList "static.list" -> ListPage<StaticPair>: DeviceBatch, Look, fleet::list_static
        => "GET" "/api/v1/orgs/{org}/static";
    web ClaimDevice "claim" -> ClaimedDevice: Myself, Change, fleet::claim => "POST" "/api/v1/claim";
    web ProvisionMake "provision.make" -> Provisioned: DeviceCreate, Reveal, fleet::provision
        => "POST" "/api/v1/orgs/{org}/provision";
    web ProvisionAgain "provision.again" -> Provisioned: DeviceToken, Reveal, fleet::provision_again
        => "POST" "/api/v1/orgs/{org}/devices/{device}/reprovision";
}
