//! Devices that speak MQTT.

mod downlinks;
mod ends;
mod rules;
mod sessions;
mod uplinks;
mod wills;

use linchpin_protocol::model::TopicMapping;
use linchpin_protocol::mqtt::Level;
use linchpin_sim::{MqttLogin, MqttScript};

use super::*;

const BOTH: [Level; 2] = [Level::V4, Level::V5];

/// "Speed" on V0 (0 to 100, once called "Rpm"), "Message" on V1 (text, synced), "Set Point" on V2 (a number); the event
/// "hot"; topics of its own. Device 1 has it, device 2 has none.
fn mqtt_world() -> (World, Token, Token) {
    mqtt_world_of(&WorldOptions::default())
}

fn mqtt_world_of(options: &WorldOptions) -> (World, Token, Token) {
    let mut world = World::new(options);
    world.add_template(&template(false));
    let named = world.add_device(1, Some(template(false).id));
    let plain = world.add_device(2, None);
    (world, named, plain)
}

fn template(requires_tls: bool) -> Template {
    let id = TemplateId::parse(b"TMPLmqtt").expect("valid");
    let stream = |index, name: &str, kind, sync| Datastream::new(Pin::new_virtual(index), name, kind, "", sync);
    let streams = vec![
        stream(0, "Speed", ValueKind::Int { min: 0, max: 100 }, false),
        stream(1, "Message", ValueKind::Text, true),
        stream(2, "Set Point", ValueKind::Double { min: -50.0, max: 50.0 }, true),
    ];
    let topic = |topic, pointer, index| TopicMapping::new(topic, pointer, Pin::new_virtual(index)).expect("valid");
    Template::new(id, "Pump".into(), streams, vec!["hot".into()])
        .with_aliases(vec![("Rpm".into(), Pin::new_virtual(0))])
        .with_topics(vec![
            topic("tele/pump/SENSOR", "/motor/rpm", 0),
            topic("tele/pump/SENSOR", "/note", 1),
            topic("raw", "", 1),
        ])
        .with_tls_required(requires_tls)
}

/// Logged in and subscribed to everything at QoS 0.
fn subscribed(world: &mut World, level: Level, token: &Token) -> MqttScript {
    let mut script = MqttScript::login(world, &MqttLogin::new(level), token);
    assert_eq!(script.subscribe(world, "downlink/#", 0), 0);
    script
}

fn message(topic: &str, payload: &str) -> (String, String) {
    (topic.to_owned(), payload.to_owned())
}

/// The one `downlink/diag` among these messages.
fn diag(messages: &[(String, String)]) -> &str {
    let mut found = messages.iter().filter(|it| it.0 == "downlink/diag");
    match (found.next(), found.next()) {
        (Some(it), None) => &it.1,
        _ => panic!("one diag in {messages:?}"),
    }
}
