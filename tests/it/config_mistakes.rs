//! What each mistake in a configuration is told: one message with line, key and expectation.

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use tesla2mqtt::config::schema;

use crate::config::{ConfigWorld, MINIMAL};

#[rustfmt::skip]
const IN_A_FILE: &[(&str, &str)] = &[
    // Unknown keys.
    ("[mqtt]\nurll = \"mqtt://h\"", "t.toml:2: mqtt.urll: unknown key, did you mean mqtt.url?"),
    ("[mqqt]\nurl = \"mqtt://h\"", "t.toml:1: mqqt: unknown key, did you mean mqtt?"),
    ("[mqtt]\npreset = \"auto\"", "t.toml:2: mqtt.preset: unknown key, did you mean polling.preset?"),
    ("whatever = 1", "t.toml:1: whatever: unknown key; `tesla2mqtt config example` shows every key"),
    // Wrong types.
    ("[mqtt]\nprotocol = \"5\"", "t.toml:2: mqtt.protocol = \"5\": expected 5, or 4 for MQTT 3.1.1"),
    ("[mqtt]\nprotocol = 3", "t.toml:2: mqtt.protocol = 3: expected 5, or 4 for MQTT 3.1.1"),
    ("[mqtt]\nprotocol = 99999999999999999999", "t.toml:2: mqtt.protocol = a number that is too large: expected 5, or 4 for MQTT 3.1.1"),
    ("[commands]\nenabled = \"yes\"", "t.toml:2: commands.enabled = \"yes\": expected true or false"),
    ("[commands]\nenabled = [true]", "t.toml:2: commands.enabled = a list: expected true or false"),
    ("[mqtt]\nurl = 1883", "t.toml:2: mqtt.url = 1883: expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\""),
    ("mqtt = \"mqtt://h\"", "t.toml:1: mqtt: expected a section [mqtt], found string"),
    ("[mqtt]\nurl.host = 1", "t.toml:2: mqtt.url = a table: expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\""),
    // Durations.
    ("[mqtt]\nkeep_alive = \"fast\"", "t.toml:2: mqtt.keep_alive = \"fast\": expected a duration such as \"30s\" or \"10m\""),
    ("[mqtt]\nkeep_alive = \"-20s\"", "t.toml:2: mqtt.keep_alive = \"-20s\": expected a duration from \"5s\" to \"20m\""),
    ("[mqtt]\nkeep_alive = \"1s\"", "t.toml:2: mqtt.keep_alive = \"1s\": expected a duration from \"5s\" to \"20m\""),
    ("[mqtt]\nkeep_alive = 15", "t.toml:2: mqtt.keep_alive = 15: expected a duration from \"5s\" to \"20m\""),
    // Addresses.
    ("[mqtt]\nurl = \"\"", "t.toml:2: mqtt.url = \"\": expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\""),
    ("[mqtt]\nurl = \"localhost:1883\"", "t.toml:2: mqtt.url = \"localhost:1883\": expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\""),
    ("[mqtt]\nurl = \"http://h\"", "t.toml:2: mqtt.url = \"http://h\": expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\""),
    ("[mqtt]\nurl = \"mqtt://\"", "t.toml:2: mqtt.url = \"mqtt://\": expected a host name or address after \"://\""),
    ("[mqtt]\nurl = \"mqtt://h:0\"", "t.toml:2: mqtt.url = \"mqtt://h:0\": expected a port from 1 to 65535"),
    ("[mqtt]\nurl = \"mqtt://h/x\"", "t.toml:2: mqtt.url = \"mqtt://h/x\": expected nothing after the host and port"),
    ("[mqtt]\nurl = \"mqtt://u:hunter2@h\"", "t.toml:2: mqtt.url: expected no user or password in the address; they have the keys mqtt.username and mqtt.password"),
    ("[mqtt]\nurl = \"mqtt://256.1.1.1\"", "t.toml:2: mqtt.url = \"mqtt://256.1.1.1\": expected a host name or address after \"://\""),
    ("[mqtt]\nurl = \"mqtt://1.2.3\"", "t.toml:2: mqtt.url = \"mqtt://1.2.3\": expected a host name or address after \"://\""),
    ("[mqtt]\nurl = \"mqtt://1.2.3.4.5\"", "t.toml:2: mqtt.url = \"mqtt://1.2.3.4.5\": expected a host name or address after \"://\""),
    ("[mqtt]\nurl = \"mqtt://.\"", "t.toml:2: mqtt.url = \"mqtt://.\": expected a host name or address after \"://\""),
    ("[mqtt]\nurl = \"mqtt://-\"", "t.toml:2: mqtt.url = \"mqtt://-\": expected a host name or address after \"://\""),
    ("[mqtt]\nurl = \"mqtt://a..b\"", "t.toml:2: mqtt.url = \"mqtt://a..b\": expected a host name or address after \"://\""),
    ("[mqtt]\nusername = \"  \"", "t.toml:2: mqtt.username = \"  \": expected text that is not empty"),
    ("[web]\nlisten = \"8321\"", "t.toml:2: web.listen = \"8321\": expected an address and port such as \"127.0.0.1:8321\""),
    ("[broker]\nlisten = \"127.0.0.1:0\"", "t.toml:2: broker.listen = \"127.0.0.1:0\": expected a port from 1 to 65535"),
    ("[log]\nlevel = \"warning\"", "t.toml:2: log.level = \"warning\": expected levels such as \"info\" or \"info,tesla2mqtt::bridge=debug\""),
    ("[log]\nlevel = \"info,tesla2mqtt\"", "t.toml:2: log.level = \"info,tesla2mqtt\": expected levels such as \"info\" or \"info,tesla2mqtt::bridge=debug\""),
    ("[log]\nlevel = \",\"", "t.toml:2: log.level = \",\": expected levels such as \"info\" or \"info,tesla2mqtt::bridge=debug\""),
    ("[log]\nlevel = \"info,\"", "t.toml:2: log.level = \"info,\": expected levels such as \"info\" or \"info,tesla2mqtt::bridge=debug\""),
    ("[log]\nlevel = \"=debug\"", "t.toml:2: log.level = \"=debug\": expected levels such as \"info\" or \"info,tesla2mqtt::bridge=debug\""),
    ("[log]\nlevel = \"a b=debug\"", "t.toml:2: log.level = \"a b=debug\": expected levels such as \"info\" or \"info,tesla2mqtt::bridge=debug\""),
    ("[log]\nlevel = \"tesla2mqtt[x]=debug\"", "t.toml:2: log.level = \"tesla2mqtt[x]=debug\": expected levels such as \"info\" or \"info,tesla2mqtt::bridge=debug\""),
    ("[log]\nlevel = \"tesla2mqtt=\"", "t.toml:2: log.level = \"tesla2mqtt=\": expected levels such as \"info\" or \"info,tesla2mqtt::bridge=debug\""),
    // Topics.
    ("[mqtt]\nbase_topic = \" \"", "t.toml:2: mqtt.base_topic = \" \": expected no blank at either end, as in \"tesla2mqtt\" or \"home/tesla\""),
    ("[mqtt]\nbase_topic = \"\"", "t.toml:2: mqtt.base_topic = \"\": expected at least one level, as in \"tesla2mqtt\" or \"home/tesla\""),
    ("[mqtt]\nbase_topic = \"/t\"", "t.toml:2: mqtt.base_topic = \"/t\": expected no slash at either end and no empty level, as in \"tesla2mqtt\" or \"home/tesla\""),
    ("[mqtt]\nbase_topic = \"t/#\"", "t.toml:2: mqtt.base_topic = \"t/#\": expected no wildcard (+ or #), as in \"tesla2mqtt\" or \"home/tesla\""),
    ("[mqtt]\nbase_topic = \"t\\u0000\"", "t.toml:2: mqtt.base_topic = \"t\\0\": expected no control character, as in \"tesla2mqtt\" or \"home/tesla\""),
    ("[homeassistant]\ndiscovery_prefix = \"$SYS\"", "t.toml:2: homeassistant.discovery_prefix = \"$SYS\": expected a topic outside of the broker's own ($…), as in \"tesla2mqtt\" or \"home/tesla\""),
    ("[homeassistant]\nstatus_topic = \"a//b\"", "t.toml:2: homeassistant.status_topic = \"a//b\": expected no slash at either end and no empty level, as in \"tesla2mqtt\" or \"home/tesla\""),
    ("[mqtt]\nbase_topic = \"homeassistant\"", "t.toml:2: mqtt.base_topic = \"homeassistant\": homeassistant.discovery_prefix = \"homeassistant\" is not ours to write below: expected a base topic of the bridge's own, as in \"tesla2mqtt\" or \"home/tesla\""),
    ("[mqtt]\nbase_topic = \"home\"\n[homeassistant]\ndiscovery_prefix = \"home/ha\"", "t.toml:2: mqtt.base_topic = \"home\": homeassistant.discovery_prefix = \"home/ha\" is not ours to write below: expected a base topic of the bridge's own, as in \"tesla2mqtt\" or \"home/tesla\""),
    ("[mqtt]\nbase_topic = \"homeassistant/status\"", "t.toml:2: mqtt.base_topic = \"homeassistant/status\": homeassistant.status_topic = \"homeassistant/status\" is not ours to write below: expected a base topic of the bridge's own, as in \"tesla2mqtt\" or \"home/tesla\""),
    ("[homeassistant]\nstatus_topic = \"tesla2mqtt/status\"", "t.toml:2: homeassistant.status_topic = \"tesla2mqtt/status\": mqtt.base_topic = \"tesla2mqtt\" is there: expected Home Assistant's own topic outside of it, or another mqtt.base_topic"),
    // TLS.
    ("[mqtt]\nurl = \"mqtts://h\"\nca_file = \"/ca\"", "t.toml:3: mqtt.ca_file = \"/ca\": cannot read this file: there is none at this path"),
    ("[mqtt]\nca_file = \"/ca\"", "t.toml:2: mqtt.ca_file = \"/ca\": has no effect without TLS: expected mqtt.url to start with \"mqtts://\""),
    ("[mqtt]\nurl = \"mqtts://h\"\nclient_cert_file = \"/c\"", "t.toml:3: mqtt.client_cert_file = \"/c\": cannot read this file: there is none at this path"),
    ("[mqtt]\nurl = \"mqtts://h\"\nclient_key_file = \"/c\"", "t.toml:3: mqtt.client_key_file = \"/c\": cannot read this file: there is none at this path"),
    // The own broker.
    ("[broker]\nlisten = \"0.0.0.0:1883\"", "t.toml:2: broker.listen = \"0.0.0.0:1883\": whoever reaches this address could command your cars: expected broker.username and broker.password, or a loopback address"),
    ("[broker]\nlisten = \"0.0.0.0:1883\"\nusername = \"u\"", "t.toml:1: broker.password: missing: broker.username is set: expected one line of text in quotes, broker.password_file or the credential broker.password"),
    ("[broker]\nlisten = \"0.0.0.0:1883\"\nusername = \"u\"\npassword_file = \"/nope\"", "t.toml:4: broker.password_file = \"/nope\": cannot read this file: there is none at this path"),
    ("[broker]\nlisten = \"0.0.0.0:1883\"\nusername = \"\"\npassword = \"p\"", "t.toml:3: broker.username = \"\": expected text that is not empty"),
    ("[broker]\npassword = \"p\"", "t.toml:1: broker.username: missing: broker.password is set: expected text that is not empty"),
    // Cars.
    ("[cars.5YJ3E1EA7KF000001]\nalias = \"a/b\"", "t.toml:2: cars.5YJ3E1EA7KF000001.alias = \"a/b\": expected no /, +, # and no control character: one topic level, such as \"model-3\""),
    ("[cars.5YJ3E1EA7KF000001]\nalias = \" \"", "t.toml:2: cars.5YJ3E1EA7KF000001.alias = \" \": expected no blank at either end: one topic level, such as \"model-3\""),
    ("[cars.5YJ3E1EA7KF000001]\nalias = \"bridge\"", "t.toml:2: cars.5YJ3E1EA7KF000001.alias = \"bridge\": this level is the bridge's own: expected another name: one topic level, such as \"model-3\""),
    ("[cars.5YJ3E1EA7KF000001]\nalias = \"a\"\n[cars.5YJ3E1EA7KF000002]\nalias = \"a\"", "t.toml:4: cars.5YJ3E1EA7KF000002.alias = \"a\": another car has this alias: expected each alias once"),
    ("[cars.5yj3e1ea7kf000001]\nalias = \"a\"\n[cars.5YJ3E1EA7KF000001]\nalias = \"b\"", "t.toml:1: cars.5YJ3E1EA7KF000001: this car is here twice"),
    ("[cars.KITT]\nalias = \"a\"", "t.toml:1: cars.KITT: expected the VIN of a car: a VIN has 17 letters and digits, this has 4 characters or others among them"),
    ("[cars]\nalias = \"a\"", "t.toml:2: cars.alias: expected the VIN of a car: a VIN has 17 letters and digits, this has 5 characters or others among them"),
    ("[cars.5YJ3E1EA7KF000001]\nteslamate_number = 0", "t.toml:2: cars.5YJ3E1EA7KF000001.teslamate_number = 0: expected a number from 1 to 32767: the one in teslamate/cars/1"),
    ("[cars.5YJ3E1EA7KF000001]\nteslamate_number = \"1\"", "t.toml:2: cars.5YJ3E1EA7KF000001.teslamate_number = \"1\": expected a number from 1 to 32767: the one in teslamate/cars/1"),
    ("[cars.5YJ3E1EA7KF000001]\nteslamate_number = 1\n[cars.5YJ3E1EA7KF000002]\nteslamate_number = 1", "t.toml:4: cars.5YJ3E1EA7KF000002.teslamate_number = 1: another car has this number: expected each number once"),
    // Other programs' topics.
    ("[compat]\nteslamate = 1", "t.toml:2: compat.teslamate = 1: expected true or false"),
    ("[compat]\nteslamate_namespace = \"a/b\"", "t.toml:2: compat.teslamate_namespace = \"a/b\": expected no /, +, # and no control character: one topic level, such as \"home\""),
    ("[compat]\nteslamate_namespace = 1", "t.toml:2: compat.teslamate_namespace = 1: expected one topic level, such as \"home\""),
    ("[compat]\nteslamat = true", "t.toml:2: compat.teslamat: unknown key, did you mean compat.teslamate?"),
    // Money and words.
    ("[budget]\ndollars = 5\ncalls = 10", "t.toml:3: budget.calls = 10: given together with budget.dollars: keep one of them"),
    ("[budget]\ndollars = -1", "t.toml:2: budget.dollars = -1: expected an amount of dollars a month, such as 10.0"),
    ("[budget]\nprice_data = nan", "t.toml:2: budget.price_data = NaN: expected a price in dollars, such as 0.002"),
    ("[budget]\ncalls = 1.5", "t.toml:2: budget.calls = 1.5: expected a number of data calls a month, such as 5000"),
    ("[tariff]\nprice = -0.1", "t.toml:2: tariff.price = -0.1: expected the price of a kilowatt-hour, such as 0.32"),
    ("[tariff]\nprice = \"0.32 EUR\"", "t.toml:2: tariff.price = \"0.32 EUR\": expected the price of a kilowatt-hour, such as 0.32"),
    ("[tariff]\nprice = 0.3\ncheap_price = 0.2\ncheap_hours = \"23:30\"", "t.toml:4: tariff.cheap_hours = \"23:30\": expected hours of the day such as \"23:30-05:30\" or \"22:00-06:00, 12:30-14:30\""),
    ("[tariff]\nprice = 0.3\ncheap_price = 0.2\ncheap_hours = \"22:00-06:00, 25:00-26:00\"", "t.toml:4: tariff.cheap_hours = \"22:00-06:00, 25:00-26:00\": expected hours of the day such as \"23:30-05:30\" or \"22:00-06:00, 12:30-14:30\""),
    ("[tariff]\nprice = 0.3\ncheap_price = 0.2\ncheap_hours = \"06:00-06:00\"", "t.toml:4: tariff.cheap_hours = \"06:00-06:00\": expected hours of the day such as \"23:30-05:30\" or \"22:00-06:00, 12:30-14:30\""),
    ("[tariff]\nprice = 0.3\ncheap_price = 0.2", "t.toml:1: tariff.cheap_hours: missing: tariff.cheap_price is set: expected hours of the day such as \"23:30-05:30\" or \"22:00-06:00, 12:30-14:30\""),
    ("[tariff]\nprice = 0.3\ncheap_hours = \"22:00-06:00\"", "t.toml:1: tariff.cheap_price: missing: tariff.cheap_hours is set: expected the price of a kilowatt-hour, such as 0.32"),
    ("[tariff]\ncheap_price = 0.2\ncheap_hours = \"22:00-06:00\"", "t.toml:1: tariff.price: missing: for the other hours: expected the price of a kilowatt-hour, such as 0.32"),
    ("[tariff]\nac_loss_percent = 100", "t.toml:2: tariff.ac_loss_percent = 100: expected a whole number of percent from 0 to 50"),
    ("[tariff]\ncurrency = \"\"", "t.toml:2: tariff.currency = \"\": expected the name of a currency, such as \"EUR\""),
    ("[polling]\npreset = \"fast\"", "t.toml:2: polling.preset = \"fast\": expected \"auto\", \"metered\", \"unmetered\" or \"push\""),
    ("[polling]\nidle_data = \"fast\"", "t.toml:2: polling.idle_data = \"fast\": expected a duration such as \"30s\" or \"10m\""),
    ("[polling]\nidle_data = \"1s\"", "t.toml:2: polling.idle_data = \"1s\": expected a duration from \"20s\" to \"24h\""),
    ("[polling]\nidle_dta = \"1m\"", "t.toml:2: polling.idle_dta: unknown key, did you mean polling.idle_data?"),
    ("[polling]\ndata_holds_awake = true", "t.toml:2: polling.data_holds_awake = true: expected \"learn\", \"yes\" or \"no\""),
    ("[log]\nformat = \"xml\"", "t.toml:2: log.format = \"xml\": expected \"text\" or \"json\""),
    ("[log]\nlevel = \"tesla2mqtt=loud\"", "t.toml:2: log.level = \"tesla2mqtt=loud\": expected levels such as \"info\" or \"info,tesla2mqtt::bridge=debug\""),
    ("[polling]\nunavailable_after = \"8d\"", "t.toml:2: polling.unavailable_after = \"8d\": expected a duration from \"30m\" to \"7d\""),
    ("[polling]\nquiet_first = 5", "t.toml:2: polling.quiet_first = 5: expected a duration from \"12m\" to \"24h\""),
    // Names that nobody should see whole, or on two lines.
    ("[mqtt]\n\"a\\nb\" = 1", "t.toml:2: mqtt.\"a\\nb\": unknown key; `tesla2mqtt config example` shows every key"),
    ("\"mqtt.url\" = \"mqtt://h\"", "t.toml:1: \"mqtt.url\": unknown key; `tesla2mqtt config example` shows every key"),
    // Not TOML: only the first mistake, the others are its doing.
    ("[mqtt]\nurl = \"mqtt://h\nprotocol = 5\n\"", "t.toml:2: mqtt.url: not valid TOML: invalid basic string, expected `\"`"),
    ("[cars.5YJ3E1EA7KF000001]\nalias = \"a\n\nb\"", "t.toml:2: cars.5YJ3E1EA7KF000001.alias: not valid TOML: invalid basic string, expected `\"`"),
    ("[mqtt]\nurl = ", "t.toml:2: mqtt.url: not valid TOML: string values must be quoted, expected literal string"),
];

#[test]
fn each_mistake_in_a_file_is_one_message_with_line_key_and_expectation() {
    for (text, expected) in IN_A_FILE {
        let messages = ConfigWorld::with(text).load().map(|_| ()).expect_err(text);
        assert_eq!(messages, [*expected], "for\n{text}");
    }
}

#[rustfmt::skip]
const IN_AN_ACCOUNT: &[(&str, &[&str])] = &[
    ("", &["t.toml: accounts: missing: expected at least one account: [[accounts]] with name and api"]),
    ("accounts = []", &["t.toml:1: accounts: missing: expected at least one account: [[accounts]] with name and api"]),
    ("[accounts]\nname = \"home\"", &["t.toml:1: accounts: expected a list of tables, each with the header [[accounts]]"]),
    ("accounts = [1]", &["t.toml:1: accounts[0]: expected a list of tables, each with the header [[accounts]]"]),
    ("accounts = [1, {name = \"home\", ap = \"owner\"}]", &[
        "t.toml:1: accounts[0]: expected a list of tables, each with the header [[accounts]]",
        "t.toml:1: accounts[0].ap: unknown key, did you mean accounts[0].api?",
    ]),
    ("\n[[accounts]]\nname = \"home\"", &["t.toml:2: accounts[0].api: missing: expected \"fleet\", \"owner\" or \"password\""]),
    ("[[accounts]]\napi = \"owner\"", &["t.toml:1: accounts[0].name: missing: expected a name of letters, digits, - and _, such as \"home\""]),
    ("[[accounts]]\nname = \"a b\"\napi = \"owner\"", &["t.toml:2: accounts[0].name = \"a b\": expected a name of letters, digits, - and _, such as \"home\""]),
    ("[[accounts]]\nname = \"a\"\napi = \"owner\"\n[[accounts]]\nname = \"A\"\napi = \"owner\"", &["t.toml:5: accounts[1].name = \"A\": another account has this name: expected each name once"]),
    ("[[accounts]]\nname = \"a\"\napi = \"fleet\"", &["t.toml:1: accounts[0].client_id: missing: the Fleet API needs it: expected the client id of your app at developer.tesla.com"]),
    (
        "[[accounts]]\nname = \"a\"\napi = \"password\"",
        &[
            "t.toml:1: accounts[0].email: missing: the password login needs it: expected the e-mail address of the account",
            "t.toml:1: accounts[0].password: missing: the password login needs it: expected one line of text in quotes, accounts[0].password_file or the credential accounts.a.password",
        ],
    ),
    ("[[accounts]]\nname = \"a\"\napi = \"password\"\nrefresh_token_file = \"/nope\"", &["t.toml:4: accounts[0].refresh_token_file = \"/nope\": cannot read this file: there is none at this path"]),
    ("[[account]]\nname = \"a\"\napi = \"owner\"", &["t.toml:1: account: unknown key, did you mean accounts?"]),
    ("[[Accounts]]\nname = \"a\"\napi = \"owner\"", &["t.toml:1: Accounts: unknown key, did you mean accounts?"]),
    ("[[accounts]]\nname = \"a\"\napi = \"tessie\"", &["t.toml:3: accounts[0].api = \"tessie\": expected \"fleet\", \"owner\" or \"password\""]),
    ("[[accounts]]\nname = \"a\"\napi = \"owner\"\nregion = \"us\"", &["t.toml:4: accounts[0].region = \"us\": expected \"na\", \"eu\" or \"cn\""]),
    ("[[accounts]]\nname = \"a\"\napi = \"owner\"\napi_url = \"ftp://h\"", &["t.toml:4: accounts[0].api_url = \"ftp://h\": expected an address such as \"https://host\""]),
    ("[[accounts]]\nname = \"a\"\napi = \"owner\"\nauth_url = \"https://\"", &["t.toml:4: accounts[0].auth_url = \"https://\": expected an address such as \"https://host\""]),
    ("[[accounts]]\nname = \"a\"\napi = \"owner\"\napi_url = \"https://h/?token=hunter2\"", &["t.toml:4: accounts[0].api_url: expected an address without ? and #"]),
    ("[[accounts]]\nname = \"a\"\napi = \"owner\"\nrefresh_token = 12", &["t.toml:4: accounts[0].refresh_token: expected one line of text in quotes, found a whole number"]),
    ("[[accounts]]\nname = \"a\"\napi = \"owner\"\nrefresh_token = \"\"", &["t.toml:4: accounts[0].refresh_token: expected one line of text in quotes, found nothing between them"]),
    ("[[accounts]]\nname = \"a\"\napi = \"owner\"\nrefresh_token = \"  \"", &["t.toml:4: accounts[0].refresh_token: expected one line of text in quotes, found nothing between them"]),
    ("[[accounts]]\nname = \"a\"\napi = \"owner\"\nrefresh_token = \"a b\"", &["t.toml:4: accounts[0].refresh_token: expected one line of text in quotes, found a blank or a letter that no token has"]),
    ("[[accounts]]\nname = \"a\"\napi = \"owner\"\nrefresh_token = \"tök\"", &["t.toml:4: accounts[0].refresh_token: expected one line of text in quotes, found a blank or a letter that no token has"]),
    ("[[accounts]]\nname = \"a\"\napi = \"owner\"\napi_url = \"https://a..b\"", &["t.toml:4: accounts[0].api_url = \"https://a..b\": expected a host name or address after \"://\""]),
    ("[[accounts]]\nname = \"a\"\napi = \"owner\"\nrefresh_token = \"hunter2\"\nrefresh_token_file = \"/t\"", &["t.toml:4: accounts[0].refresh_token: given together with accounts[0].refresh_token_file: keep one of them"]),
];

#[test]
fn each_mistake_in_an_account_is_told() {
    for (text, expected) in IN_AN_ACCOUNT {
        let messages = ConfigWorld::file(text).load().map(|_| ()).expect_err(text);
        assert_eq!(messages, *expected, "for\n{text}");
    }
}

#[rustfmt::skip]
const IN_THE_ENVIRONMENT: &[(&str, &str, &str)] = &[
    ("TESLA2MQTT__POLLING__PRESET", "fast", "TESLA2MQTT__POLLING__PRESET = \"fast\": expected \"auto\", \"metered\", \"unmetered\" or \"push\""),
    ("TESLA2MQTT__MQTT__PROTOCOL", "five", "TESLA2MQTT__MQTT__PROTOCOL = \"five\": expected 5, or 4 for MQTT 3.1.1"),
    ("TESLA2MQTT__MQTT__URRL", "x", "TESLA2MQTT__MQTT__URRL: unknown key, did you mean TESLA2MQTT__MQTT__URL?"),
    ("TESLA2MQTT__MQTT", "x", "TESLA2MQTT__MQTT: a section, not a key: expected TESLA2MQTT__MQTT__KEY"),
    ("TESLA2MQTT____MQTT__URL", "x", "TESLA2MQTT____MQTT__URL: keys are TESLA2MQTT__SECTION__KEY, in capitals"),
    ("TESLA2MQTT__ACCOUNTS", "[{\"name\":\"a\"}]", "TESLA2MQTT__ACCOUNTS: a list: expected TESLA2MQTT__ACCOUNTS__0__KEY"),
    ("TESLA2MQTT__ACCOUNTS__1__NAME", "second", "TESLA2MQTT__ACCOUNTS__1__API: missing: expected \"fleet\", \"owner\" or \"password\""),
    ("TESLA2MQTT__ACCOUNTS__63__NAME", "x", "TESLA2MQTT__ACCOUNTS__63__NAME: accounts are counted from 0 without a gap: expected TESLA2MQTT__ACCOUNTS__1__…"),
    ("TESLA2MQTT__mqtt__url", "x", "TESLA2MQTT__mqtt__url: keys are TESLA2MQTT__SECTION__KEY, in capitals"),
    ("TESLA2MQTT__ACCOUNTS__X__NAME", "x", "TESLA2MQTT__ACCOUNTS__X__NAME: expected a number from 0 to 63 after ACCOUNTS"),
    ("TESLA2MQTT__ACCOUNTS__99999999999__NAME", "x", "TESLA2MQTT__ACCOUNTS__99999999999__NAME: expected a number from 0 to 63 after ACCOUNTS"),
    ("TESLA2MQTT__CARS__KITT__ALIAS", "x", "TESLA2MQTT__CARS__KITT__ALIAS: expected the VIN of a car after CARS: a VIN has 17 letters and digits, this has 4 characters or others among them"),
    ("TESLA2MQTT__MQTT__ÜRL", "x", "TESLA2MQTT__MQTT__ÜRL: 'Ü' is not part of any key"),
];

#[test]
fn each_mistake_in_the_environment_names_the_variable() {
    for (variable, value, expected) in IN_THE_ENVIRONMENT {
        let world = ConfigWorld::file(MINIMAL).env(variable, value);
        let messages = world.load().map(|_| ()).expect_err(variable);
        assert_eq!(messages, [*expected]);
    }
}

#[test]
fn all_mistakes_come_out_together_in_the_order_of_the_file() {
    ConfigWorld::file("[mqtt]\nurl = \"x\"\nprotocol = 6\n[[accounts]]\nname = \"home\"\nap = \"owner\"").refused(&[
        "t.toml:2: mqtt.url = \"x\": expected \"mqtt://host:1883\" or, with TLS, \"mqtts://host:8883\"",
        "t.toml:3: mqtt.protocol = 6: expected 5, or 4 for MQTT 3.1.1",
        "t.toml:6: accounts[0].ap: unknown key, did you mean accounts[0].api?",
    ]);
}

#[test]
fn a_value_of_a_secret_is_never_shown() {
    for text in [
        "[mqtt]\npassword = hunter2",
        "[mqtt]\npassword = \"hunter2",
        "[mqtt]\npassword = \"hunter2\\nhunter2\"",
        "[mqtt]\npassword = [\"hunter2\"]",
        "[mqtt]\npassword = \"hunter2\"\npassword_file = \"/p\"",
        "[mqtt]\npassword_file = \"hunter2\"",
        "\"mqtt.password=a.b.of-a-token-of-more-than-40-letters.hunter2\" = 1",
        "[mqtt]\nurl = \"mqtts://h\"\nclient_key_file = \"hunter2\"",
        "[mqtt]\nurl = \"mqtt://x:hunter2@h\"",
        "[mqtt]\nurl = \"mqtt://x:hunter2\"",
        "[mqtt]\nurl = \"x:hunter2\"",
        "[mqtt]\nurl = \"nonsense hunter2@h\"",
        "[mqtt]\nbase_topic = \"mqtt://x:hunter2@h/#\"",
        "[mqtt]\npassword = \"hunter2\"\npassword = \"hunter2\"",
    ] {
        keeps_quiet(text, "hunter2");
    }
}

#[track_caller]
fn keeps_quiet(text: &str, secret: &str) {
    let messages = ConfigWorld::with(text).load().map(|_| ()).expect_err(text);
    let messages = messages.join("\n");
    assert!(!messages.contains(secret), "{messages}");
    assert!(messages.starts_with("t.toml:"), "{messages}");
}

proptest! {
    /// A paste brings its own line breaks, quotes and headers, and lacks others.
    #[test]
    fn property_a_token_that_was_pasted_badly_is_never_shown(
        key in prop_oneof![Just("refresh_token"), Just("refresh_token_file"), Just("client_secret"), Just("password"), Just("")],
        before in "[ =:\"'\n\\[]{0,6}",
        after in "[ =\"'\n\\]x]{0,6}",
    ) {
        let token = "eyJhbGciOiJSUzI1NiJ9eyJzdWIiOiJ4In0c2lnbmF0dXJl";
        for token in [token.to_owned(), format!("{token}.{token}.{token}")] {
            let text = format!("{MINIMAL}{key}{before}{token}{after}\n");
            let messages = ConfigWorld::file(&text).load().map(|_| ()).err().unwrap_or_default();
            let messages = messages.join("\n");
            prop_assert!(!messages.contains(&token[..20]), "{messages}\nfor\n{text}");
        }
    }
}

#[test]
fn a_message_about_a_duration_quotes_only_what_is_one() {
    let rows = schema::rows().iter();
    for row in rows.filter(|row| row.kind == schema::ValueForm::Duration) {
        let (section, name) = row.path.split_once('.').unwrap();
        for quoted in row.expected.split('"').skip(1).step_by(2) {
            let text = format!("[{section}]\n{name} = \"{quoted}\"");
            let messages = ConfigWorld::with(&text).load().map(|_| ()).err();
            // The same example stands at every interval, whatever its least value.
            let messages = messages.unwrap_or_default().join("\n");
            let is_about_the_range = messages.contains("expected a duration from");
            assert!(messages.is_empty() || is_about_the_range, "{messages}");
        }
    }
    for (text, expected) in [
        ("7d", 7 * 24),
        ("1w", 7 * 24),
        ("1d 12h", 36),
        ("168h", 7 * 24),
    ] {
        let text = format!("[polling]\nunavailable_after = \"{text}\"");
        let read = ConfigWorld::with(&text)
            .settings()
            .polling
            .unavailable_after;
        assert_eq!(read, std::time::Duration::from_hours(expected), "{text}");
    }
}

#[test]
fn a_name_that_cannot_be_looked_up_is_too_long() {
    let check = |host: &str, is_legal: bool| {
        let text = format!("[mqtt]\nurl = \"mqtt://{host}\"");
        assert_eq!(ConfigWorld::with(&text).load().is_ok(), is_legal, "{host}");
    };
    check(&"a".repeat(63), true);
    check(&"a".repeat(64), false);
    let label = "a".repeat(63);
    check(&[label.as_str(); 3].join("."), true);
    check(&[label.as_str(); 4].join("."), false);
    for host in [
        "broker.lan.",
        "_mqtt.lan",
        "10.0.0.1",
        "[::1]",
        "xn--n-cga.de",
        "4.lan",
    ] {
        check(host, true);
    }
}

#[test]
fn a_user_name_or_password_that_mqtt_has_no_room_for_is_refused() {
    let long = "u".repeat(65_536);
    ConfigWorld::with(&format!("[mqtt]\nusername = \"u\"\npassword = \"{long}\"")).refused(&[
        "t.toml:3: mqtt.password: expected one line of text in quotes, found more than 65535 bytes",
    ]);
    let messages = ConfigWorld::with(&format!("[mqtt]\nusername = \"{long}\"")).load();
    let messages = messages.map(|_| ()).unwrap_err();
    assert!(
        messages[0].ends_with("expected at most 65535 bytes"),
        "{messages:?}"
    );
}
