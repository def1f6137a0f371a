//! What a device does by itself, without any input: at its start, and when its time has come.

use pretty_assertions::assert_eq;

use super::*;

#[test]
fn a_known_car_is_declared_at_its_start_so_that_its_first_values_do_not_wait_for_the_disk() {
    let mut rig = DeviceRig::awake();
    rig.next();
    let known = Saved {
        vehicle: rig.device.saved(rig.now).vehicle,
        ..Saved::default()
    };
    let mut next = DeviceRig::with(config(), known);
    next.become_awake();
    let told = loop {
        match next.device.poll(next.now) {
            Output::Save => {}
            output => break output,
        }
    };
    assert!(
        matches!(&told, Output::Publish(messages) if !messages.is_empty()),
        "{told:?}"
    );
    if let Output::Publish(messages) = told {
        next.declared.check(&messages);
    }
}

/// Whether its call hangs or not; the save wakes the device at other times.
#[test]
fn a_device_without_any_input_becomes_unavailable_exactly_when_it_should() {
    let after = Duration::from_secs(47 * 60 + 13);
    for has_answered in [false, true] {
        let mut config = config();
        config.unavailable_after = after;
        config.saving = Saving::NEVER;
        let mut rig = DeviceRig::with(config, Saved::default());
        let mut contact = Duration::ZERO;
        if has_answered {
            rig.become_awake();
            contact = rig.now.mono;
        }
        let exactly = contact + after;
        for _ in 0..10_000 {
            let output = rig.next();
            let is_offline = rig.payload("availability") == Some("offline");
            assert_eq!(
                is_offline,
                rig.now.mono >= exactly,
                "{:?}: {output:?}",
                rig.now
            );
            if is_offline {
                break;
            }
            if let Output::Wait { until, .. } = output {
                rig.at(until);
            }
        }
        assert_eq!(rig.now.mono, exactly, "{has_answered}");
    }
}

#[test]
fn teslamate_hears_every_ten_minutes_that_a_car_is_healthy_whatever_else_happens() {
    let mut config = config();
    config.saving = Saving::NEVER;
    config.unavailable_after = Duration::MAX;
    let publishing = config.publishing.as_mut().unwrap();
    publishing.teslamate = Some(TeslaMateTopics::new(1, None));
    let mut rig = DeviceRig::with(config, Saved::default());
    let topics = TeslaMateTopics::new(1, None).topics().into_iter().collect();
    let owner = Owner::TeslaMate(DeviceId::from(&vin()));
    rig.declared.take_in(Declaration::Topics { owner, topics });
    rig.become_awake();
    rig.next();
    rig.published.clear();
    let mut heard = Vec::new();
    while heard.len() < 4 {
        let output = rig.next();
        let is_healthy = |message: &Publish| matches!(message, Publish::Event { topic, .. } if topic == "teslamate/cars/1/healthy");
        let told = std::mem::take(&mut rig.published);
        heard.extend(told.iter().any(is_healthy).then_some(rig.now.mono));
        match output {
            Output::Call(_) => rig.observe(&light("asleep")),
            Output::Wait { until, .. } => rig.at(until),
            _ => {}
        }
    }
    let gaps: Vec<Duration> = heard
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]))
        .collect();
    assert_eq!(gaps, [Duration::from_mins(10); 3]);
}
