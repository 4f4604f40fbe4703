//! The control plane: operators' commands.
