"""What a deployment needs beside the product itself."""
