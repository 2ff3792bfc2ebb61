"""Takes every mail the product sends and shows it instead of delivering it."""
