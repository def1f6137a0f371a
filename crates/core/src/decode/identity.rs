//! Whether an answer is about the car that was asked for: one about another car is refused whole.
//!
//! Owners saw a cloud answer with a neighbour's data. The VIN decides; an answer without one is
//! judged by its id, which changes only when a car is added to an account again.

use serde_json::{Map, Value as Json};

use super::products::number;
use super::{DecodeError, open, text};
use crate::model::{ApiId, Vin};

/// Refuses the body of a light or a data answer that names another car. A body that is no answer,
/// or names none, is not judged here.
pub fn refuse_another(body: &[u8], asked: &Vin, id: Option<ApiId>) -> Result<(), DecodeError> {
    let body = text(body);
    let names = open(&body).ok().and_then(|answer| {
        answer.object(|within, name| within.is_empty() && matches!(name, "id" | "id_s" | "vin"))
    });
    names.map_or(Ok(()), |names| refuse_other_names(&names, asked, id))
}

fn refuse_other_names(
    names: &Map<String, Json>,
    asked: &Vin,
    id: Option<ApiId>,
) -> Result<(), DecodeError> {
    let vin = names
        .get("vin")
        .and_then(Json::as_str)
        .and_then(|text| Vin::new(text.trim()).ok());
    let answered_id = number(names, "id_s").or_else(|| number(names, "id"));
    let is_another = match (&vin, id, answered_id) {
        (Some(vin), _, _) => vin != asked,
        (None, Some(ApiId(id)), Some(answered)) => id != answered,
        (None, _, _) => false,
    };
    if is_another {
        let got = vin.map_or_else(|| "another id".to_owned(), |vin| vin.to_string());
        Err(DecodeError::AnotherCar(format!(
            "asked for {asked}, got {got}"
        )))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_names_another_car_is_refused_and_one_that_names_none_is_not() {
        let asked = Vin::new("5YJ3E1EA7KF000001").unwrap();
        let check = |body: &str, is_refused: bool| {
            let judged = refuse_another(body.as_bytes(), &asked, Some(ApiId(5)));
            assert_eq!(
                matches!(judged, Err(DecodeError::AnotherCar(_))),
                is_refused,
                "{body}"
            );
        };
        check(r#"{"response":{"vin":"5YJ3E1EA7KF000001","id":5}}"#, false);
        check(r#"{"response":{"vin":" 5YJ3E1EA7KF000001","id":6}}"#, false);
        check(r#"{"response":{"vin":"5YJ3E1EA7KF000002","id":5}}"#, true);
        check(r#"{"vin":"5YJ3E1EA7KF000002"}"#, true);
        check(r#"{"response":{"vin":null,"id":6}}"#, true);
        check(r#"{"response":{"id_s":"6","id":5}}"#, true);
        check(r#"{"response":{"id":5}}"#, false);
        check(r#"{"response":{"charge_state":{}}}"#, false);
        check(r#"{"response":{"vin":"odd","charge_state":{}}}"#, false);
        check(r#"{"response":null}"#, false);
        check("upstream", false);
    }
}
