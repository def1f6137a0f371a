//! Tesla's answers → observations. Field by field: one odd field costs one field.

pub mod products;
pub mod vehicle_data;
