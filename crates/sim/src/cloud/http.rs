//! The cloud's door: takes requests apart, draws faults, writes answers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::world::{Asked, StatusAndBody};
use super::{CallKind, Cut, Doors, Fault, Shared, ledger};

const LARGEST_BODY: usize = 64 * 1024;
const HTML: &str = "<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>\n<H1>Access Denied</H1>\n</BODY></HTML>\n";

pub(super) async fn serve(doors: Doors, shared: Shared) {
    let stop = shared.stop.clone();
    let app = Router::new().fallback(handle).with_state(shared);
    let service = app.into_make_service_with_connect_info::<Cut>();
    let server = axum::serve(doors, service).with_graceful_shutdown(stop.cancelled_owned());
    // Serving never fails: a connection's error ends that connection.
    let _ = server.await;
}

async fn handle(
    State(shared): State<Shared>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    // Whether the cloud is up: plain text, for anyone.
    if parts.method == Method::GET && parts.uri.path() == "/status" {
        return "ok".into_response();
    }
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let (call, target) = route(&parts.method, path);
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let is_json = header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
    let asked = Asked {
        call,
        target: target.map(str::to_owned),
        query: pairs(query.as_bytes()),
        bearer: header(AUTHORIZATION)
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::to_owned),
        fields: if is_json {
            members(&body)
        } else {
            pairs(&body)
        },
    };

    let at = shared.now();
    let (fault, answer) = {
        let mut world = shared.world();
        let vin = asked
            .target
            .as_deref()
            .and_then(|target| world.vin_of(target));
        let fault = world.faults.draw(call, vin.as_ref());
        let bearer = world.generation(asked.bearer.as_deref());
        let is_carried_out = fault.as_ref().is_none_or(Fault::is_carried_out);
        let answer = is_carried_out.then(|| world.answer(&asked, at));
        let right_status = answer.as_ref().map_or(0, |(status, _)| *status);
        let seen = fault.as_ref().and_then(Fault::seen_status);
        let status = seen.unwrap_or(right_status);
        let request = ledger::Request {
            at,
            answered_at: shared.now(),
            method: parts.method.to_string(),
            path: path.to_owned(),
            query: query.to_owned(),
            call,
            vin,
            status,
            bearer,
        };
        let done = if status == 0 { right_status } else { status };
        world.ledger.note(request, done);
        shared.noted.send_replace(());
        (fault, answer)
    };
    match (fault, answer) {
        (None, Some(answer)) => plain(answer),
        (fault, answer) => broken(fault.unwrap_or(Fault::Empty), answer, &shared, &cut).await,
    }
}

/// Which call a request is, and what stands for `{id}` in it.
fn route<'p>(method: &Method, path: &'p str) -> (CallKind, Option<&'p str>) {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["api", "1", "products"]) => (CallKind::Products, None),
        ("GET", ["api", "1", "vehicles"]) => (CallKind::Vehicles, None),
        ("GET", ["api", "1", "users", "region"]) => (CallKind::Region, None),
        ("GET", ["api", "1", "vehicles", id]) => (CallKind::Light, Some(id)),
        ("GET", ["api", "1", "vehicles", id, "vehicle_data"]) => (CallKind::Data, Some(id)),
        ("POST", ["api", "1", "vehicles", id, "wake_up"]) => (CallKind::Wake, Some(id)),
        ("POST", ["oauth", "token"]) => (CallKind::Password, None),
        ("POST", ["oauth2", "v3", "token"]) => (CallKind::Token, None),
        _ => (CallKind::Other, None),
    }
}

fn pairs(form: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(form).into_owned().collect()
}

fn members(json: &[u8]) -> BTreeMap<String, String> {
    let Ok(Value::Object(object)) = serde_json::from_slice(json) else {
        return BTreeMap::new();
    };
    let texts = object.into_iter().filter_map(|(key, value)| match value {
        Value::String(text) => Some((key, text)),
        _ => None,
    });
    texts.collect()
}

fn plain((status, body): StatusAndBody) -> Response {
    answered(status, body.to_string().into())
}

fn answered(status: u16, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    headers.insert(
        "x-txid",
        HeaderValue::from_static("5e1f00000000000000000000000000aa"),
    );
    response
}

async fn broken(
    fault: Fault,
    answer: Option<StatusAndBody>,
    shared: &Shared,
    cut: &Cut,
) -> Response {
    let (status, body) = answer.map_or((200, String::new()), |(status, body)| {
        (status, body.to_string())
    });
    let body = Bytes::from(body);
    match fault {
        Fault::Status {
            code,
            headers,
            body,
        } => {
            let mut response = answered(code, body.into());
            for (name, value) in headers {
                let name = axum::http::HeaderName::try_from(name);
                if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        }
        Fault::Hang => {
            shared.stop.cancelled().await;
            cut.now();
            answered(503, Body::empty())
        }
        Fault::HangUp(after) => {
            tokio::select! {
                () = tokio::time::sleep(after) => {}
                () = shared.stop.cancelled() => {}
            }
            cut.now();
            answered(503, Body::empty())
        }
        Fault::Reset | Fault::LoseReply => {
            cut.now();
            answered(503, Body::empty())
        }
        Fault::Truncate(bytes) => truncated(status, &body, bytes),
        Fault::Garbage => answered(200, vec![0x00, 0xFF, 0xFE, b'{', 0x80, 0x22, 0xC0].into()),
        Fault::Html(code) => {
            let mut response = answered(code, HTML.into());
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            response
        }
        Fault::SlowDrip { bytes, every } => answered(status, dripping(&body, bytes, every, shared)),
        Fault::Empty => answered(200, Body::empty()),
        Fault::Late(by) => {
            tokio::select! {
                () = tokio::time::sleep(by) => {}
                () = shared.stop.cancelled() => {}
            }
            answered(status, body.into())
        }
    }
}

/// Announces the whole body and breaks off within it.
fn truncated(status: u16, body: &Bytes, bytes: usize) -> Response {
    let part = body.slice(..bytes.min(body.len().saturating_sub(1)));
    let first = stream::once(async move { Ok(part) });
    // The pause lets the first part leave before the connection is torn down.
    let end = stream::once(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    let mut response = answered(status, Body::from_stream(first.chain(end)));
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}

fn dripping(body: &Bytes, bytes: usize, every: Duration, shared: &Shared) -> Body {
    let size = bytes.max(1);
    let drops: Vec<Bytes> = (0..body.len())
        .step_by(size)
        .map(|from| body.slice(from..body.len().min(from + size)))
        .collect();
    let stop = shared.stop.clone();
    let drip = stream::iter(drops).then(move |drop| {
        let stop = stop.clone();
        async move {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.cancelled() => {}
            }
            Ok::<Bytes, Infallible>(drop)
        }
    });
    Body::from_stream(drip)
}
