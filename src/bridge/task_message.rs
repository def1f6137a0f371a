//! What the tasks of accounts and devices send to the bridge.

use tokio::task::Id;

use super::troubles::TroubleChange;
use crate::api::AccountStatus;
use crate::decode::products::ListedVehicle;
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
    /// What became of the trouble with an account's list.
    ListTrouble {
        /// Whose list.
        account: usize,
        /// For the owner.
        change: TroubleChange,
    },
    /// Whether Tesla refuses to tell of a device, and why.
    DeviceTrouble {
        /// The device.
        id: DeviceId,
        /// The task that says so: another may have taken its place.
        task: Id,
        /// For the owner.
        change: TroubleChange,
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
