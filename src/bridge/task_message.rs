//! What the tasks of accounts and devices send to the bridge.

use tokio::task::Id;

use crate::api::AccountStatus;
use crate::decode::products::ListedVehicle;
use crate::failure::Explanation;
use crate::model::DeviceId;

/// A message to the bridge.
#[derive(Debug)]
pub(super) enum TaskMessage {
    /// The cars on an account's list.
    Listed {
        /// Whose list.
        account: usize,
        /// The cars.
        cars: Vec<ListedVehicle>,
        /// Whether a car that is missing has gone.
        is_whole: bool,
    },
    /// What is wrong with an account's list now, if anything is.
    ListTrouble {
        /// Whose list.
        account: usize,
        /// For the owner.
        trouble: Option<Explanation>,
    },
    /// Why Tesla refuses to tell of a device now, if it does.
    DeviceTrouble {
        /// The device.
        id: DeviceId,
        /// The task that says so: another may have taken its place.
        task: Id,
        /// For the owner.
        trouble: Option<Explanation>,
    },
    /// An account's login or its list has been refused for minutes, and waiting does not mend that.
    Refused {
        /// Whose.
        account: usize,
    },
    /// Signed in, signed out, unreachable.
    Status {
        /// Whose status.
        account: usize,
        /// The newest.
        status: AccountStatus,
    },
}
