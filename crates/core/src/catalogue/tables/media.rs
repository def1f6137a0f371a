//! Media: Home Assistant's MQTT has no media player, so its parts are rows of their own.

use super::{Limits, button, number, sensor};
use crate::catalogue::entity::Entity;
use crate::catalogue::extractor::Extractor::{Nothing, Number, Scaled, Text, Word};
use crate::catalogue::words;

/// 11, until the car says otherwise.
const VOLUME: Limits = Limits {
    min: 0.0,
    min_of: "",
    max: 11.0,
    max_of: "vehicle_state.media_info.audio_volume_max",
    step: 0.01,
};

#[rustfmt::skip]
pub(super) const ROWS: &[Entity] = &[
    sensor("media_status",           "Media",           Word("vehicle_state.media_info.media_playback_status", words::PLAYBACK))    .class("enum").diagnostic().off().icon("play-pause").if_seen().stream("MediaPlaybackStatus"),
    sensor("media_title",            "Media title",     Text("vehicle_state.media_info.now_playing_title"))                         .diagnostic().off().icon("music-note").if_seen().stream("MediaNowPlayingTitle"),
    sensor("media_artist",           "Media artist",    Text("vehicle_state.media_info.now_playing_artist"))                        .diagnostic().off().icon("account-music").if_seen().stream("MediaNowPlayingArtist"),
    sensor("media_album",            "Media album",     Text("vehicle_state.media_info.now_playing_album"))                         .diagnostic().off().icon("album").if_seen().stream("MediaNowPlayingAlbum"),
    sensor("media_station",          "Media station",   Text("vehicle_state.media_info.now_playing_station"))                       .diagnostic().off().icon("radio").if_seen().stream("MediaNowPlayingStation"),
    sensor("media_source",           "Media source",    Text("vehicle_state.media_info.now_playing_source"))                        .diagnostic().off().icon("import").if_seen().stream("MediaPlaybackSource"),
    sensor("media_duration",         "Media duration",  Scaled("vehicle_state.media_info.now_playing_duration", 0.001, 0))          .unit("s", "duration").diagnostic().off().if_seen().stream("MediaNowPlayingDuration"),
    sensor("media_elapsed",          "Media elapsed",   Scaled("vehicle_state.media_info.now_playing_elapsed", 0.001, 0))           .unit("s", "duration").diagnostic().off().if_seen().stream("MediaNowPlayingElapsed"),
    number("media_volume",           "Media volume",    Number("vehicle_state.media_info.audio_volume", 2))                         .icon("volume-high").off().if_seen().limits(VOLUME).stream("MediaAudioVolume").command("adjust_volume"),
    button("media_toggle_playback",  "Play or pause",   Nothing)                                                                    .icon("play-pause").off().command("media_toggle_playback"),
    button("media_next_track",       "Next track",      Nothing)                                                                    .icon("skip-next").off().command("media_next_track"),
    button("media_prev_track",       "Previous track",  Nothing)                                                                    .icon("skip-previous").off().command("media_prev_track"),
    button("media_next_fav",         "Next favorite",   Nothing)                                                                    .icon("heart-plus").off().command("media_next_fav"),
    button("media_prev_fav",         "Previous favorite", Nothing)                                                                  .icon("heart-minus").off().command("media_prev_fav"),
    button("media_volume_up",        "Volume up",       Nothing)                                                                    .icon("volume-plus").off().command("media_volume_up"),
    button("media_volume_down",      "Volume down",     Nothing)                                                                    .icon("volume-minus").off().command("media_volume_down"),
];
