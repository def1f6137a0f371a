//! Motors, inverters and pedals: only a car that streams reports them.

use super::{binary, sensor};
use crate::catalogue::entity::Entity;
use crate::catalogue::extractor::Extractor::{Is, Number, Truth, Word};
use crate::catalogue::words;

#[rustfmt::skip]
pub(super) const ROWS: &[Entity] = &[
    sensor("pedal_position",            "Pedal position",                                 Number("telemetry.PedalPosition", 1))            .measured("%", "").diagnostic().off().icon("gauge").if_seen().stream("PedalPosition"),
    sensor("brake_pedal_position",      "Brake pedal position",                           Number("telemetry.BrakePedalPos", 1))            .measured("%", "").diagnostic().off().icon("car-brake-alert").if_seen().stream("BrakePedalPos"),
    binary("brake_pedal",               "Brake pedal",                                    Truth("telemetry.BrakePedal"))                   .off().icon("car-brake-alert").if_seen().stream("BrakePedal"),
    binary("drive_rail",                "Drive rail",                                     Truth("telemetry.DriveRail"))                    .off().icon("power").if_seen().stream("DriveRail"),
    sensor("lateral_acceleration",      "Lateral acceleration",                           Number("telemetry.LateralAcceleration", 2))      .measured("g", "").diagnostic().off().icon("axis-arrow").if_seen().stream("LateralAcceleration"),
    sensor("longitudinal_acceleration", "Longitudinal acceleration",                      Number("telemetry.LongitudinalAcceleration", 2)) .measured("g", "").diagnostic().off().icon("axis-arrow").if_seen().stream("LongitudinalAcceleration"),
    sensor("di_axle_speed_f",           "Front inverter axle speed",                      Number("telemetry.DiAxleSpeedF", 1))             .measured("rad/s", "").diagnostic().off().icon("speedometer").if_seen().stream("DiAxleSpeedF"),
    sensor("di_axle_speed_r",           "Rear inverter axle speed",                       Number("telemetry.DiAxleSpeedR", 1))             .measured("rad/s", "").diagnostic().off().icon("speedometer").if_seen().stream("DiAxleSpeedR"),
    sensor("di_axle_speed_rel",         "Rear left inverter axle speed",                  Number("telemetry.DiAxleSpeedREL", 1))           .measured("rad/s", "").diagnostic().off().icon("speedometer").if_seen().stream("DiAxleSpeedREL"),
    sensor("di_axle_speed_rer",         "Rear right inverter axle speed",                 Number("telemetry.DiAxleSpeedRER", 1))           .measured("rad/s", "").diagnostic().off().icon("speedometer").if_seen().stream("DiAxleSpeedRER"),
    sensor("di_heatsink_tf",            "Front inverter heatsink temperature",            Number("telemetry.DiHeatsinkTF", 1))             .measured("°C", "temperature").diagnostic().off().if_seen().stream("DiHeatsinkTF"),
    sensor("di_heatsink_tr",            "Rear inverter heatsink temperature",             Number("telemetry.DiHeatsinkTR", 1))             .measured("°C", "temperature").diagnostic().off().if_seen().stream("DiHeatsinkTR"),
    sensor("di_heatsink_trel",          "Rear left inverter heatsink temperature",        Number("telemetry.DiHeatsinkTREL", 1))           .measured("°C", "temperature").diagnostic().off().if_seen().stream("DiHeatsinkTREL"),
    sensor("di_heatsink_trer",          "Rear right inverter heatsink temperature",       Number("telemetry.DiHeatsinkTRER", 1))           .measured("°C", "temperature").diagnostic().off().if_seen().stream("DiHeatsinkTRER"),
    sensor("di_inverter_tf",            "Front inverter temperature",                     Number("telemetry.DiInverterTF", 1))             .measured("°C", "temperature").diagnostic().off().if_seen().stream("DiInverterTF"),
    sensor("di_inverter_tr",            "Rear inverter temperature",                      Number("telemetry.DiInverterTR", 1))             .measured("°C", "temperature").diagnostic().off().if_seen().stream("DiInverterTR"),
    sensor("di_inverter_trel",          "Rear left inverter temperature",                 Number("telemetry.DiInverterTREL", 1))           .measured("°C", "temperature").diagnostic().off().if_seen().stream("DiInverterTREL"),
    sensor("di_inverter_trer",          "Rear right inverter temperature",                Number("telemetry.DiInverterTRER", 1))           .measured("°C", "temperature").diagnostic().off().if_seen().stream("DiInverterTRER"),
    sensor("di_motor_current_f",        "Front motor current",                            Number("telemetry.DiMotorCurrentF", 1))          .measured("A", "current").diagnostic().off().if_seen().stream("DiMotorCurrentF"),
    sensor("di_motor_current_r",        "Rear motor current",                             Number("telemetry.DiMotorCurrentR", 1))          .measured("A", "current").diagnostic().off().if_seen().stream("DiMotorCurrentR"),
    sensor("di_motor_current_rel",      "Rear left motor current",                        Number("telemetry.DiMotorCurrentREL", 1))        .measured("A", "current").diagnostic().off().if_seen().stream("DiMotorCurrentREL"),
    sensor("di_motor_current_rer",      "Rear right motor current",                       Number("telemetry.DiMotorCurrentRER", 1))        .measured("A", "current").diagnostic().off().if_seen().stream("DiMotorCurrentRER"),
    sensor("di_state_f",                "Front drive inverter",                           Word("telemetry.DiStateF", words::INVERTER))     .class("enum").diagnostic().off().icon("car-electric").if_seen().stream("DiStateF"),
    sensor("di_state_r",                "Rear drive inverter",                            Word("telemetry.DiStateR", words::INVERTER))     .class("enum").diagnostic().off().icon("car-electric").if_seen().stream("DiStateR"),
    sensor("di_state_rel",              "Rear left drive inverter",                       Word("telemetry.DiStateREL", words::INVERTER))   .class("enum").diagnostic().off().icon("car-electric").if_seen().stream("DiStateREL"),
    sensor("di_state_rer",              "Rear right drive inverter",                      Word("telemetry.DiStateRER", words::INVERTER))   .class("enum").diagnostic().off().icon("car-electric").if_seen().stream("DiStateRER"),
    sensor("di_stator_temp_f",          "Front stator temperature",                       Number("telemetry.DiStatorTempF", 1))            .measured("°C", "temperature").diagnostic().off().if_seen().stream("DiStatorTempF"),
    sensor("di_stator_temp_r",          "Rear stator temperature",                        Number("telemetry.DiStatorTempR", 1))            .measured("°C", "temperature").diagnostic().off().if_seen().stream("DiStatorTempR"),
    sensor("di_stator_temp_rel",        "Rear left stator temperature",                   Number("telemetry.DiStatorTempREL", 1))          .measured("°C", "temperature").diagnostic().off().if_seen().stream("DiStatorTempREL"),
    sensor("di_stator_temp_rer",        "Rear right stator temperature",                  Number("telemetry.DiStatorTempRER", 1))          .measured("°C", "temperature").diagnostic().off().if_seen().stream("DiStatorTempRER"),
    sensor("di_torque_actual_f",        "Front actual torque",                            Number("telemetry.DiTorqueActualF", 1))          .measured("Nm", "").diagnostic().off().icon("engine").if_seen().stream("DiTorqueActualF"),
    sensor("di_torque_actual_r",        "Rear actual torque",                             Number("telemetry.DiTorqueActualR", 1))          .measured("Nm", "").diagnostic().off().icon("engine").if_seen().stream("DiTorqueActualR"),
    sensor("di_torque_actual_rel",      "Rear left actual torque",                        Number("telemetry.DiTorqueActualREL", 1))        .measured("Nm", "").diagnostic().off().icon("engine").if_seen().stream("DiTorqueActualREL"),
    sensor("di_torque_actual_rer",      "Rear right actual torque",                       Number("telemetry.DiTorqueActualRER", 1))        .measured("Nm", "").diagnostic().off().icon("engine").if_seen().stream("DiTorqueActualRER"),
    sensor("di_vbat_f",                 "Front inverter battery voltage",                 Number("telemetry.DiVBatF", 2))                  .measured("V", "voltage").diagnostic().off().if_seen().stream("DiVBatF"),
    sensor("di_vbat_r",                 "Rear inverter battery voltage",                  Number("telemetry.DiVBatR", 2))                  .measured("V", "voltage").diagnostic().off().if_seen().stream("DiVBatR"),
    sensor("di_vbat_rel",               "Rear left inverter battery voltage",             Number("telemetry.DiVBatREL", 2))                .measured("V", "voltage").diagnostic().off().if_seen().stream("DiVBatREL"),
    sensor("di_vbat_rer",               "Rear right inverter battery voltage",            Number("telemetry.DiVBatRER", 2))                .measured("V", "voltage").diagnostic().off().if_seen().stream("DiVBatRER"),
    sensor("di_slave_torque_cmd",       "Secondary drive unit torque",                    Number("telemetry.DiSlaveTorqueCmd", 1))         .measured("Nm", "").diagnostic().off().icon("engine").if_seen().stream("DiSlaveTorqueCmd"),
    sensor("di_torquemotor",            "Drive unit torque",                              Number("telemetry.DiTorquemotor", 1))            .measured("Nm", "").diagnostic().off().icon("engine").if_seen().stream("DiTorquemotor"),
    binary("hvil",                      "High voltage interlock loop fault",              Is("telemetry.Hvil", &["Fault"]))                .class("problem").diagnostic().off().if_seen().stream("Hvil"),
    binary("dc_dc_enable",              "DC to DC converter",                             Truth("telemetry.DCDCEnable"))                   .off().icon("current-dc").if_seen().stream("DCDCEnable"),
];
